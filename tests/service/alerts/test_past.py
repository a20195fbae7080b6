"""What makes an episode the same as one before: its strongest features, wherever they stand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.past import Kinds, repeats

WEIGHTS = {"bpf": 0.01, "read": 0.5, "write": 0.3, "futex": 0.1, "poll": 0.05}


def shown(*names: str, never: tuple[str, ...] = (), hints: tuple[str, ...] = ()) -> Kinds:
    """Say what a line shows whose features are these, some of which the baseline never had."""
    top = [
        {
            "feature": name,
            "contribution": WEIGHTS.get(name, 0.001),
            "observed": 0.1,
            "typical": {"q95": 0.0 if name in never else 0.2},
        }
        for name in names
    ]
    told = [{"technique": technique} for technique in hints]
    return Kinds.told({"explanation": {"top": top}, "attack_hints": told})


def test_a_kind_is_its_strongest_features_in_any_order() -> None:
    """What a sentence names stands first, and may weigh less than what comes after it."""
    told = {shown(*order, hints=("T1014",)) for order in permutations(WEIGHTS)}
    assert told == {Kinds(frozenset({"read", "write", "futex", "T1014"}), frozenset({"T1014"}))}


def test_one_mark_is_another_kind_however_much_else_is_alike() -> None:
    """A technique or a call that is new makes it one; other proportions and pairs do not."""
    known = shown("read", "write", "futex", never=("futex",), hints=("T1014",))
    same = shown("read", "write", "poll", hints=("T1014",))
    assert known.include(same)
    assert known.news(same) == frozenset()
    link = "link (share of calls)"
    pair = "read then link (share of transitions)"
    assert known.news(shown("read", "write", "futex", link, never=(link,))) == {"link"}
    assert known.news(shown("read", "write", "futex", pair, never=(pair,))) == frozenset()
    assert known.news(shown("read", "write", "futex", hints=("T1046",))) == {"T1046"}
    assert known.include(shown("read", "write", "futex", link, never=(link,))), "it still joins"


def lines(id_: str, begin_s: int, *names: str, exe: str = "/bin/x") -> list[Alert]:
    """Open and close an episode of ten seconds."""
    top = [
        {"feature": name, "contribution": 0.3, "observed": 0.1, "typical": {"q95": 0.2}}
        for name in names
    ]
    line = {
        "episode_id": id_,
        "severity": "low",
        "program": {"exe": exe, "unit": None, "container": None},
        "explanation": {"top": top},
        "attack_hints": [],
    }
    begin = datetime.fromtimestamp(begin_s, UTC)
    end = begin + timedelta(seconds=10)
    return [
        {**line, "state": "open", "time": begin.isoformat()},
        {**line, "state": "close", "time": end.isoformat()},
    ]


def test_of_lines_without_a_cooldown_repeats_are_told() -> None:
    """The same kind of the same program within the cooldown, also of what was itself a repeat."""
    told = [
        *lines("first", 0, "read", "write"),
        *lines("other", 20, "socket", "bind"),
        *lines("whose", 40, "read", "write", exe="/bin/y"),
        *lines("again", 60, "read", "write"),
        *lines("more", 150, "read", "write"),
        *lines("late", 1000, "read", "write"),
    ]
    assert repeats(told, 100) == {"again", "more"}
    assert repeats(told, 10_000) == {"again", "more", "late"}
    assert repeats(told, 0) == set()
    # What has not closed yet takes nothing in by this.
    assert repeats([line for line in told if line["state"] == "open"], 10_000) == set()
