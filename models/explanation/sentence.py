"""One plain sentence: which program, what it did, and what it does otherwise."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from oddcall.models import calls
from oddcall.models.baseline import Baseline
from oddcall.models.explanation.observation import Call, Observation, Scalar, Transition, Typical
from oddcall.models.verdict import JUDGED_BY
from oddcall.models.window import Program, WindowBatch

#: Kinds of call named at once, and in one sentence; a reader takes in no more.
_NAMED, MOST_NAMED = 3, 5
#: A share that is there, yet too small for a figure.
_HARDLY = "under 0.1%"
#: Part of the verdict below which a finding is not worth words when others are.
_WORTH = 0.1
#: Part of a window's calls that is worth words beside whatever is new, where it is not usual.
_MUCH = 0.2

#: Calls that mean more to a reader than those that come along with any start of anything.
_TELLING = frozenset(
    """
    accept accept4 bind bpf chmod chown chroot clone clone3 connect dup2 dup3 execve execveat
    fchmod fchmodat fchown fchownat finit_module fork init_module io_uring_setup kexec_load
    keyctl kill link linkat listen memfd_create mount open_by_handle_at perf_event_open
    pivot_root process_vm_readv process_vm_writev ptrace rename renameat renameat2 sendto
    setns setuid setgid setresuid setresgid setreuid setregid socket socketpair symlink
    symlinkat umount2 unlink unlinkat unshare userfaultfd vfork
    """.split()  # noqa: SIM905 - sixty quoted names read worse
)

_BASELINE = {
    "program": "of its baseline",
    "predecessor": f"of {JUDGED_BY['predecessor']}",
    "similar": f"of {JUDGED_BY['similar']}",
}


Part = Call | Transition | Scalar


class Said(NamedTuple):
    """A sentence, and what it names: calls, a step or a number, in its order."""

    text: str
    parts: tuple[Part, ...]


def who(program: Program, container: str = "") -> str:
    """Name a program for people: ``"python3.11 (unit web.service)"``."""
    places = [f"unit {program.unit}"] if program.unit else []
    if program.container or container:
        places.append(" ".join(filter(None, (program.container or "container", container[:12]))))
    return f"{program.name} ({', '.join(places)})" if places else program.name


def unjudged(name: str, batch: WindowBatch, row: int, arch: str) -> str:
    """Say what a program did that there is no baseline to hold against."""
    ids, counts = batch.syscalls.row(row)
    most = [calls.name(number, arch) for number in ids[np.argsort(-counts)][:_NAMED].tolist()]
    mostly = f", mostly {_listed(most)}" if most else ""
    seconds = float(batch.t_end_ns[row] - batch.t_start_ns[row]) / 1e9
    return (
        f"{name} made {_number(int(batch.n_events[row]), 'call')} in {_seconds(seconds)}{mostly}; "
        "it has no baseline yet, so they cannot be judged."
    )


def judged(
    name: str, seen: Observation, baseline: Baseline, level: str, first: Collection[str]
) -> Said:
    """Say what sets a window apart from its baseline.

    Parameters
    ----------
    name : str
        As ``who`` gives it.
    level : str
        Whose baseline it is (``verdict.LEVELS``).
    first : collection of str
        Names of calls to put before others that carry more of the verdict: those that a hint
        rests on, as they mean most to the reader.
    """
    against = f"{_number(baseline.windows, 'window')} {_BASELINE.get(level, 'of its baseline')}"
    own = level in ("program", "predecessor")
    new = _picked([call for call in seen.calls if call.novel], first)
    more = _picked([c for c in seen.calls if not c.novel and (c.excess or c.failing)], first)
    time = _seconds(seen.seconds)
    if not first and _slight([*new, *more], [*seen.transitions, *seen.scalars]):
        text, parts = _rest(seen, time, against, own)
        return Said(f"{name} {text}.", parts)
    if _leads(new, more, first):
        # Naming the fourth takes no more words than saying that there is one.
        shown = new if len(new) == _NAMED + 1 else new[:_NAMED]
        text = _new(shown, len(new) - len(shown), time, against, own)
        beside, aside = _worth(more, first, len(shown)), ""
    else:
        shown, beside = more[:_NAMED], _worth(new, first, _NAMED)
        text = _more(shown, time, against)
        aside = ", never made before" if own else ", never made there"
    return Said(f"{name} made {text}{_also(beside, aside)}.", (*shown, *beside))


def _slight(made: Sequence[Call], others: Sequence[Transition | Scalar]) -> bool:
    """Tell whether calls are not worth words beside an unusual order or number, or are none."""
    most = max((part.contribution for part in others if part.unusual), default=0.0)
    return max((call.contribution for call in made), default=-1.0) < _WORTH * most


def _leads(new: Sequence[Call], more: Sequence[Call], first: Collection[str]) -> bool:
    """Tell whether what is new comes before what is merely more: what a hint rests on does."""
    hinted, otherwise = (any(call.name in first for call in made) for made in (new, more))
    if hinted != otherwise:
        return hinted
    if new and more and more[0].beyond:
        return _weight(new) >= _weight(more)
    return bool(new) and _weight(new) >= _WORTH * _weight(more)


def _worth(made: Sequence[Call], first: Collection[str], lead: int) -> list[Call]:
    """Pick the few calls that are worth words after the ``lead`` ones that come first."""
    kept = [
        call
        for call in made
        if call.contribution >= _WORTH
        or call.name in first
        or (call.excess and call.share >= _MUCH)
    ]
    return kept[: min(_NAMED - 1, MOST_NAMED - lead)]


def _picked(made: Sequence[Call], first: Collection[str]) -> list[Call]:
    """Put those that mean more before the others, and leave out what is worth little beside them.

    What weighs most is of those, whatever it means: 400 ``splice`` before a ``socket``. Calls come
    with the largest weight first, and each part keeps that order.
    """
    if not made:
        return []
    most = max(made, key=lambda call: (call.contribution, call.plain in _TELLING))
    ranked = sorted(
        made,
        key=lambda call: (
            call.name not in first,
            call is not most and call.plain not in _TELLING,
        ),
    )
    return [c for c in ranked if c.name in first or c.contribution >= _WORTH * most.contribution]


def _weight(made: Sequence[Call]) -> float:
    return sum(call.contribution for call in made)


def _new(made: Sequence[Call], others: int, time: str, against: str, own: bool) -> str:
    if len(made) == 1:
        failing = f", {_failing(made[0])}" if _fails(made[0]) else ""
        never = "it never made one" if own else "none made one"
        return f"{_made(made[0])} in {time}{failing}; in {against} {never}"
    named = [_made(call) + _aside(call) for call in made]
    if others:
        named.append(f"{_number(others, 'other new kind')} of call")
    never = "it never made any of them" if own else "none made any of them"
    return f"{_listed(named)} in {time}; in {against} {never}"


def _also(made: Sequence[Call], aside: str) -> str:
    if not made:
        return ""
    return f"; it also made {_listed([_compared(call) for call in made])}{aside}"


def _more(made: Sequence[Call], time: str, against: str) -> str:
    lead, others = made[0], made[1:]
    also = f", and {_listed([_compared(call) for call in others])}" if others else ""
    if lead.novel_failure:
        said = f"{_made(lead)} in {time}, {_failing(lead)}{also}"
        return f"{said}; in {against} {lead.name} never failed"
    if lead.failing:
        usual = _typical(lead.failed_typical)
        said = f"{_made(lead)} in {time}, {_failing(lead)}"
        return (
            f"{said}; failing {lead.name} is {_share(lead.failed_share)} of its calls, "
            f"against {usual} in {against}{also}"
        )
    share, usual = _share(lead.share), _typical(lead.typical)
    most = f", none of which held more than {lead.most:,}" if lead.beyond else ""
    said = f"{_made(lead)} in {time}, {share} of its calls against {usual} in {against}"
    return f"{said}{most}{also}"


def _rest(seen: Observation, time: str, against: str, own: bool) -> tuple[str, tuple[Part, ...]]:
    """Where no call by itself stands out: an order of calls, a lack of some, or a number."""
    parts: list[Part] = [part for part in seen.transitions if part.unusual]
    parts += [part for part in seen.scalars if part.unusual]
    parts += [call for call in seen.calls if call.share < call.typical[0]]
    lead = max(parts, key=lambda part: part.contribution, default=None)
    if isinstance(lead, Transition):
        return _order(lead, time, against, own), (lead,)
    if isinstance(lead, Scalar):
        return f"{_measure(lead, seen.events)} in {against}", (lead,)
    if lead:
        made = _made(lead) if lead.count else f"no {lead.name} call"
        share, usual = _share(lead.share), _typical(lead.typical)
        return f"made {made} in {time}, {share} of its calls against {usual} in {against}", (lead,)
    most = tuple(call for call in seen.calls[:_NAMED] if call.count)
    mostly = f", most of all {_listed([call.name for call in most])}" if most else ""
    made = _number(seen.events, "call")
    return f"made {made} in {time}, in other proportions than in {against}{mostly}", most


def _order(part: Transition, time: str, against: str, own: bool) -> str:
    times = _number(part.count, "time")
    if part.pair is None:
        did = f"took a step from one known call to another, {times} in {time}"
    elif part.pair[0] == "start":
        did = f"began a thread with {part.pair[1]} {times} in {time}"
    else:
        did = f"went from {part.pair[0]} to {part.pair[1]} {times} in {time}"
    if part.novel and part.pair is None:
        return f"{did}, that {'it never took' if own else 'none took'} in {against}"
    if part.novel:
        return f"{did}; in {against} {'it never did' if own else 'none did'}"
    share, usual = _share(part.share), _typical(part.typical)
    return f"{did}, {share} of its steps against {usual} in {against}"


def _measure(part: Scalar, events: int) -> str:
    low, _, high = part.typical
    # A feature keeps seven digits of it.
    observed = events if part.name == "events" else part.observed
    said = {
        "events": ("made {} call{} in one window", "s", "{:,.0f}"),
        "rate": ("made {} call{} a second", "s", "{:,.0f}"),
        "distinct": ("used {} kind{} of call", "s", "{:,.0f}"),
        "entropy": ("spread its calls over {} bit{}", "s", "{:.1f}"),
        "error_share": ("had {} of its calls fail", "", "{:.1%}"),
        "forks": ("began {} process{}", "es", "{:,.0f}"),
        "execs": ("began {} program{}", "s", "{:,.0f}"),
    }
    words, many, form = said[part.name]
    number = form.format(observed)
    did = words.format(number, "" if number == "1" else many)
    return f"{did} against typically {form.format(low)} to {form.format(high)}"


def _compared(call: Call) -> str:
    if call.novel:
        return _made(call) + _aside(call)
    if call.failing and not call.excess:
        usual = _typical(call.failed_typical)
        made = _number(call.failed, f"failing {call.name} call")
        return f"{made} ({_share(call.failed_share)}; {usual})"
    failing = f"{_all_or(call)} failing; " if call.failing else ""
    usual = f"never more than {call.most:,}" if call.beyond else _typical(call.typical)
    return f"{_made(call)} ({failing}{_share(call.share)} of its calls; {usual})"


def _made(call: Call) -> str:
    return _number(call.count, f"{call.name} call")


def _fails(call: Call) -> bool:
    return call.failed * 10 >= call.count


def _all_or(call: Call) -> str:
    return "all" if call.failed == call.count and call.count > 1 else f"{call.failed:,}"


def _failing(call: Call) -> str:
    if call.count == 1:
        return "which failed"
    return f"{_all_or(call)} of them failing"


def _aside(call: Call) -> str:
    return f" ({_all_or(call)} failing)" if _fails(call) else ""


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _listed(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _share(share: float) -> str:
    if share <= 0:
        return "none"
    if share < 0.001:
        return _HARDLY
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"


def _typical(typical: Typical) -> str:
    low, high = _share(typical[0]), _share(typical[2])
    if high == "none":
        return "hardly ever any"
    if low == high:
        return f"typically {low}"
    if low == "none":
        return f"typically {high}" if high == _HARDLY else f"typically at most {high}"
    return f"typically {low} to {high}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{max(seconds * 1000, 0.1):.1f} ms"
