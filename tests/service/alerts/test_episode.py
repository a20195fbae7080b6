"""Promises about episodes: one behaviour is one alert for a person."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oddcall.models.verdict import LEVELS
from oddcall.models.window import Program
from oddcall.service.alerts.alert import to_json
from oddcall.service.alerts.episode import Episodes, EpisodeSettings
from oddcall.service.alerts.throttle import Told

PTRACE, CONNECT, READ = 101, 42, 0
SHELL = Program("/bin/dash", 1, 11)
TOOL = Program("/usr/bin/nc", 1, 12)


class Line:
    """Episodes fed batch by batch; remembers every alert."""

    def __init__(self, model: Any, host: dict[str, str], **settings: Any) -> None:
        self.model = model
        self.episodes = Episodes(model, type(model).explain, host, EpisodeSettings(**settings))
        self.alerts: list[dict[str, Any]] = []
        self.held: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []

    def see(self, batch: Any) -> list[dict[str, Any]]:
        return self.tell(self.episodes.step(batch, self.model.judge(batch)))

    def end(self) -> list[dict[str, Any]]:
        return self.tell(self.episodes.end())

    def tell(self, told: Told) -> list[dict[str, Any]]:
        self.alerts += told.sent
        self.held += told.held
        self.notices += told.notices
        return told.sent


@pytest.fixture
def line(odd_calls: Any, host: dict[str, str]) -> Line:
    return Line(odd_calls, host)


def states(alerts: list[dict[str, Any]]) -> list[str]:
    return [alert["state"] for alert in alerts]


def test_consecutive_windows_are_one_episode(line: Line, batch: Any, row: Any) -> None:
    """Ten alerting windows in a row open one episode, which closes once."""
    for at in range(1, 11):
        line.see(batch(row(at_s=at, calls={PTRACE: 1})))
    line.see(batch(row(at_s=40)))
    assert states(line.alerts).count("open") == 1
    assert states(line.alerts)[-1] == "close"
    assert len({alert["episode_id"] for alert in line.alerts}) == 1
    assert line.alerts[0]["id"] == line.alerts[0]["episode_id"]
    assert len({alert["id"] for alert in line.alerts}) == len(line.alerts)


def test_every_alerting_window_is_accounted_for(line: Line, batch: Any, row: Any) -> None:
    """Each alerting window gave a line of its own or is counted in one that follows."""
    for at in range(1, 31):
        line.see(batch(row(at_s=at, calls={PTRACE: 1})))
    line.end()
    own = sum(alert["state"] != "close" for alert in line.alerts)
    assert own + sum(alert["suppressed_since_last"] for alert in line.alerts) == 30


def test_clean_windows_open_nothing(line: Line, batch: Any, row: Any) -> None:
    """Without an alerting window there is no line."""
    line.see(batch(row()))
    line.see(batch())
    assert line.end() == []


def test_other_processes_of_the_program_join(line: Line, batch: Any, row: Any) -> None:
    """A forked child and a sibling of one program are one episode for a person."""
    line.see(batch(row(pid=100, calls={PTRACE: 1}), row(pid=101, ppid=100, calls={PTRACE: 1})))
    line.see(batch(row(pid=102, at_s=3, calls={PTRACE: 1})))
    assert states(line.alerts) == ["open", "update"]
    assert line.alerts[1]["episode_id"] == line.alerts[0]["id"]


def test_what_a_process_becomes_joins(line: Line, batch: Any, row: Any) -> None:
    """A shell spawned by a program in an episode is said at once, in the same episode."""
    line.see(batch(row(pid=100, calls={PTRACE: 1})))
    line.see(batch(row(pid=101, ppid=100, at_s=2, program=SHELL, calls={CONNECT: 1})))
    assert states(line.alerts) == ["open", "update"]
    assert line.alerts[1]["program"]["exe"] == "/bin/dash"
    assert line.alerts[1]["episode_id"] == line.alerts[0]["id"]


def test_parent_and_child_of_one_tick_are_one_episode(line: Line, batch: Any, row: Any) -> None:
    """Within one tick too the older process opens, whatever the order of the rows."""
    child = row(pid=101, ppid=100, program=SHELL, calls={CONNECT: 3})
    line.see(batch(child, row(pid=100, calls={PTRACE: 1})))
    assert states(line.alerts) == ["open", "update"]
    assert len({alert["episode_id"] for alert in line.alerts}) == 1


def test_each_program_of_a_family_is_told_of(line: Line, batch: Any, row: Any) -> None:
    """What a child does in the tick of something odder of its parent is said as well."""
    parent = row(pid=100, calls={PTRACE: 4})
    line.see(batch(parent, row(pid=101, ppid=100, program=SHELL, calls={CONNECT: 1})))
    told = [(a["program"]["exe"], a["explanation"]["top"][0]["feature"]) for a in line.alerts]
    assert told == [(parent.program.exe, "ptrace"), (SHELL.exe, "connect")]


def test_a_family_beside_an_older_episode_is_one(line: Line, batch: Any, row: Any) -> None:
    """A child and its own child that do something else than their parent did are one alert."""
    for at in range(1, 6):
        line.see(batch(row(pid=100, at_s=at, calls={PTRACE: 3})))
    child = row(pid=101, ppid=100, at_s=6, program=SHELL, calls={CONNECT: 3})
    grandchild = row(pid=102, ppid=101, at_s=6, program=TOOL, calls={CONNECT: 1})
    line.see(batch(child, grandchild))
    line.end()
    assert states(line.alerts).count("open") == 2
    assert [a["program"]["exe"] for a in line.alerts if a["state"] == "update"][-1] == TOOL.exe


def test_children_of_init_are_no_family(line: Line, batch: Any, row: Any) -> None:
    """Two programs that only share process 1 as their parent alert apart."""
    line.see(batch(row(pid=1, ppid=0, calls={PTRACE: 1})))
    line.see(batch(row(pid=100, ppid=1, program=SHELL, calls={PTRACE: 1})))
    assert states(line.alerts) == ["open", "open"]


def test_containers_of_one_program_are_apart(line: Line, batch: Any, row: Any) -> None:
    """The same program in two containers is two episodes."""
    a, b = row(pid=100, container="a" * 64), row(pid=200, container="b" * 64)
    a.calls = b.calls = {PTRACE: 1}
    line.see(batch(a, b))
    assert states(line.alerts) == ["open", "open"]


def test_an_episode_closes_after_quiet(odd_calls: Any, host: Any, batch: Any, row: Any) -> None:
    """It closes with its worst window once quiet_s passed, and the next one is another."""
    line = Line(odd_calls, host, cooldown_s=0)
    line.see(batch(row(at_s=1, calls={PTRACE: 3})))
    line.see(batch(row(at_s=2, calls={PTRACE: 1})))
    assert line.see(batch(row(at_s=16.9))) == []
    (closed,) = line.see(batch(row(at_s=17.1)))
    assert closed["state"] == "close"
    assert closed["score"]["p_value"] == pytest.approx(1e-7)
    assert closed["time"] == "2023-11-14T22:13:22.000000Z"
    line.see(batch(row(at_s=18, calls={PTRACE: 3})))
    assert states(line.alerts) == ["open", "close", "open"]
    assert line.alerts[2]["episode_id"] != line.alerts[0]["episode_id"]


def test_an_episode_closes_when_the_clock_is_set_back(line: Line, batch: Any, row: Any) -> None:
    """A clock set back by an hour does not keep it open for an hour."""
    line.see(batch(row(at_s=4000, calls={PTRACE: 1})))
    assert states(line.see(batch(row(at_s=400)))) == ["close"]


def test_graver_is_said_at_once(line: Line, batch: Any, row: Any) -> None:
    """An update comes at once when severity rises, and not while nothing changes."""
    line.see(batch(row(at_s=1, calls={PTRACE: 1})))
    assert line.see(batch(row(at_s=2, calls={PTRACE: 1}))) == []
    (update,) = line.see(batch(row(at_s=3, calls={PTRACE: 4})))
    assert update["state"] == "update"
    assert (line.alerts[0]["severity"], update["severity"]) == ("medium", "critical")
    assert update["suppressed_since_last"] == 1


def test_a_short_lesson_holds_the_grade_back(
    monkeypatch: pytest.MonkeyPatch, line: Line, batch: Any, row: Any
) -> None:
    """What would be critical against a settled baseline is medium against one of few windows."""
    [known] = line.model.profiles
    few = SimpleNamespace(**{**vars(known), "windows": 40})
    monkeypatch.setattr(type(line.model), "profiles", (few,))
    for at in (1, 2, 3):
        line.see(batch(row(at_s=at, calls={PTRACE: 4})))
    assert [alert["severity"] for alert in line.end()] == ["medium"]
    limits = [alert["baseline"]["severity_limit"] for alert in line.alerts]
    assert limits == [
        "medium, not high: its baseline is of 40 windows only",
        "medium, not critical: its baseline is of 40 windows only",
    ]


def test_another_kind_is_said_at_once(line: Line, batch: Any, row: Any) -> None:
    """An update comes at once when what is unusual is something else."""
    line.see(batch(row(at_s=1, calls={PTRACE: 3})))
    (update,) = line.see(batch(row(at_s=2, calls={CONNECT: 1})))
    assert [top["feature"] for top in update["explanation"]["top"]] == ["connect"]


def test_an_update_names_what_no_line_before_it_did(line: Line, batch: Any, row: Any) -> None:
    """Calls, a technique, a program that joins and a graver grade; what is the same names none."""
    line.see(batch(row(at_s=1, calls={CONNECT: 1})))
    line.see(batch(row(at_s=2, calls={PTRACE: 1})))
    line.see(batch(row(pid=101, ppid=100, at_s=3, program=SHELL, calls={PTRACE: 1})))
    line.see(batch(row(at_s=4, calls={PTRACE: 4})))
    for at in range(5, 70):
        line.see(batch(row(at_s=at, calls={PTRACE: 1})))
    line.see(batch(row(at_s=100)))
    line.see(batch(row(at_s=200, pid=7, calls={PTRACE: 1})))
    line.end()
    told = [(a["state"], a["news"], a["severity_before"]) for a in line.alerts]
    assert told == [
        ("open", [], None),
        ("update", ["T1055.008", "ptrace"], None),
        ("update", ["/bin/dash"], "medium"),
        ("update", [], "high"),
        ("update", [], None),
        ("close", [], None),
        ("update", [], None),
        ("close", [], None),
    ]


def test_what_comes_back_is_no_news_after_a_restart(
    odd_calls: Any, host: Any, batch: Any, row: Any
) -> None:
    """Neither its kind nor a grade that it had; what it never showed is, under the same alert."""
    before = Line(odd_calls, host)
    before.see(batch(row(at_s=1, calls={PTRACE: 4})))
    before.end()
    after = Line(odd_calls, host)
    after.episodes.recall(before.alerts)
    (back,) = after.see(batch(row(at_s=100, calls={PTRACE: 3})))
    assert (back["state"], back["news"], back["severity_before"]) == ("update", [], None)
    (other,) = after.see(batch(row(at_s=101, calls={CONNECT: 1})))
    assert (other["episode_id"], other["news"]) == (before.alerts[0]["id"], ["connect"])


def test_other_news_a_moment_later_is_another_episode(line: Line, batch: Any, row: Any) -> None:
    """Two behaviours without a pause between are two alerts, open beside each other."""
    for at in range(1, 5):
        line.see(batch(row(at_s=at, calls={PTRACE: 3})))
    (other,) = line.see(batch(row(at_s=5, calls={CONNECT: 3})))
    assert (other["state"], other["returns"]) == ("open", 0)
    line.see(batch(row(at_s=6, calls={PTRACE: 3})))
    line.see(batch(row(at_s=7, calls={CONNECT: 3})))
    assert states(line.alerts).count("open") == 2
    assert states(line.end()) == ["close", "close"]
    assert len({alert["episode_id"] for alert in line.alerts}) == 2


def test_known_calls_in_other_proportions_go_on(
    odd_calls: Any, host: Any, batch: Any, row: Any
) -> None:
    """Without news, what changes from window to window is one behaviour, until it pauses."""

    class Known(type(odd_calls)):  # the fixture's class
        def judge(self, batch: Any) -> Any:
            found = super().judge(batch)
            return replace(found, detectors={"novelty": np.ones(len(batch)), "pca": found.p_value})

    line = Line(Known(), host)
    for at in range(1, 9):
        line.see(batch(row(at_s=at, calls={(PTRACE, CONNECT)[at % 2]: 3})))
    assert states(line.alerts).count("open") == 1
    line.see(batch(row(at_s=10, calls={PTRACE: 3})))
    line.see(batch(row(at_s=11, pid=7, calls={PTRACE: 1})))
    assert states(line.alerts).count("open") == 1


def test_a_pid_that_is_given_away_again_is_no_family(line: Line, batch: Any, row: Any) -> None:
    """Whose parent's pid alerted long ago is not taken for a child of who had it then."""
    line.see(batch(row(pid=100, at_s=1, calls={PTRACE: 1})))
    for at in range(2, 40):
        line.see(batch(row(pid=300, at_s=at, calls={PTRACE: 1})))
    (other,) = line.see(batch(row(pid=500, ppid=100, at_s=40, program=SHELL, calls={CONNECT: 1})))
    assert (other["state"], other["program"]["exe"]) == ("open", "/bin/dash")


def test_what_was_told_before_a_restart_comes_back(
    odd_calls: Any, host: Any, batch: Any, row: Any
) -> None:
    """Lines that a watch before this one wrote make what comes again the same alert."""
    before = Line(odd_calls, host)
    before.see(batch(row(at_s=1, calls={PTRACE: 3})))
    before.see(batch(row(at_s=9, calls={CONNECT: 3})))
    before.end()
    after = Line(odd_calls, host)
    after.episodes.recall(before.alerts)
    (back,) = after.see(batch(row(at_s=100, pid=7, calls={PTRACE: 1})))
    assert (back["state"], back["returns"]) == ("update", 1)
    assert back["episode_id"] == before.alerts[0]["id"]


def test_a_lasting_episode_is_said_now_and_then(line: Line, batch: Any, row: Any) -> None:
    """Unchanged, it is said once every update_s."""
    for at in range(1, 190):
        line.see(batch(row(at_s=at, calls={PTRACE: 3})))
    times = [a["time"][14:19] for a in line.alerts if a["state"] == "update"]
    assert times == ["13:23", "14:23", "15:23", "16:23"], "graver at the third window, then by time"


def test_the_same_again_is_the_same_alert(line: Line, batch: Any, row: Any) -> None:
    """What comes back within a day opens its episode again, and says so; another kind does not."""
    line.see(batch(row(at_s=1, calls={PTRACE: 3})))
    line.see(batch(row(at_s=20)))
    (back,) = line.see(batch(row(at_s=4000, pid=7, calls={PTRACE: 1})))
    assert (back["state"], back["returns"]) == ("update", 1)
    assert back["episode_id"] == line.alerts[0]["id"]
    assert back["explanation"]["onset"] == "2023-11-14T23:19:59.000000Z"
    line.see(batch(row(at_s=4100)))
    (other,) = line.see(batch(row(at_s=4200, calls={CONNECT: 1})))
    assert (other["state"], other["returns"]) == ("open", 0)
    assert states(line.alerts) == ["open", "close", "update", "close", "open"]
    line.see(batch(row(at_s=4300)))
    (back,) = line.see(batch(row(at_s=4400, calls={PTRACE: 1})))
    assert (back["episode_id"], back["returns"]) == (line.alerts[0]["id"], 2)
    assert line.notices == []


def test_what_keeps_coming_back_is_told_less_and_less(line: Line, batch: Any, row: Any) -> None:
    """Each time it stays open twice as long: hours of it every half minute are one alert."""
    for at in range(1, 4 * 3600, 30):
        line.see(batch(row(at_s=at, calls={PTRACE: 1})))
    line.end()
    said = states(line.alerts)
    assert said[:4] == ["open", "close", "update", "close"]
    assert (said.count("open"), said.count("close")) == (1, 3)
    lines = [alert for alert in line.alerts if alert["state"] != "close"]
    told = len(lines) + sum(alert["suppressed_since_last"] for alert in line.alerts)
    assert told == len(range(1, 4 * 3600, 30))


def test_what_shares_little_is_another_alert(line: Line, batch: Any, row: Any) -> None:
    """A window of which no more than half was shown before opens an episode of its own."""
    line.see(batch(row(at_s=1, calls={CONNECT: 3})))
    line.see(batch(row(at_s=20)))
    line.see(batch(row(at_s=21, calls={PTRACE: 1, CONNECT: 1})))
    assert states(line.alerts) == ["open", "close", "open"]


def test_after_the_cooldown_it_is_another_alert(
    odd_calls: Any, host: Any, batch: Any, row: Any
) -> None:
    """Longer ago than the cooldown, nothing is remembered of it."""
    line = Line(odd_calls, host, cooldown_s=60)
    line.see(batch(row(at_s=1, calls={PTRACE: 1})))
    line.see(batch(row(at_s=20)))
    line.see(batch(row(at_s=62, calls={PTRACE: 1})))
    assert states(line.alerts) == ["open", "close", "open"]
    assert len({alert["episode_id"] for alert in line.alerts}) == 2


def test_open_episodes_are_bounded(odd_calls: Any, host: Any, batch: Any, row: Any) -> None:
    """Past the cap the longest quiet one closes; nothing is forgotten silently."""
    line = Line(odd_calls, host, max_open=3)
    for i in range(10):
        program = Program(f"/bin/p{i}", 1, i)
        line.see(batch(row(pid=100 + i, at_s=1 + i / 10, program=program, calls={PTRACE: 1})))
        assert len(line.episodes) <= 3
        assert len(line.episodes._past) <= 3
    assert states(line.alerts).count("open") == 10
    assert states(line.alerts).count("close") == 7


def test_a_fork_bomb_does_not_grow_an_episode(line: Line, batch: Any, row: Any) -> None:
    """An episode remembers a bounded number of processes."""
    for at in range(5):
        rows = [row(pid=1000 * (at + 1) + i, at_s=at + 1, calls={PTRACE: 1}) for i in range(999)]
        line.see(batch(*rows))
    (episode,) = line.episodes._open.values()
    assert len(episode.pids) <= 1024


def test_alerts_are_of_the_published_schema(line: Line, batch: Any, row: Any) -> None:
    """Every line of an episode validates against the schema that is shipped."""
    schema = json.loads(files("oddcall.service.alerts").joinpath("alert.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    line.see(batch(row(calls={PTRACE: 1, READ: 5}), row(pid=7, container="c" * 64, program=SHELL)))
    line.see(batch(row(at_s=2, calls={CONNECT: 9}, lost=4)))
    line.end()
    assert states(line.alerts) == ["open", "update", "close"]
    for alert in line.alerts:
        validator.validate(json.loads(to_json(alert)))


def test_whose_baseline_it_was_is_of_the_published_schema() -> None:
    """The schema lists the baselines that a verdict can name, no more and no less."""
    schema = json.loads(files("oddcall.service.alerts").joinpath("alert.schema.json").read_text())
    listed = schema["properties"]["baseline"]["properties"]["level"]["enum"]
    assert tuple(listed) == LEVELS


def test_the_schema_refuses_what_it_does_not_name(line: Line, batch: Any, row: Any) -> None:
    """A further key, at any depth, is not of the schema."""
    schema = json.loads(files("oddcall.service.alerts").joinpath("alert.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    (alert,) = line.see(batch(row(calls={PTRACE: 1})))
    for place in (alert, alert["host"], alert["score"], alert["explanation"]["top"][0]):
        place["further"] = 1
        assert not validator.is_valid(alert)
        del place["further"]
    assert validator.is_valid(alert)


ROWS = st.lists(
    st.lists(
        st.tuples(st.integers(3, 8), st.sampled_from([READ, PTRACE, CONNECT]), st.integers(1, 4)),
        max_size=4,
    ),
    max_size=20,
)


@given(ROWS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # none of them changes
def test_the_same_windows_give_the_same_lines(
    odd_calls: Any, host: Any, batch: Any, row: Any, ticks: list[list[tuple[int, int, int]]]
) -> None:
    """Judged twice, windows give the same bytes; opens and closes pair up; ids are unique."""

    def judged() -> list[str]:
        line = Line(odd_calls, host, quiet_s=3)
        for at, rows in enumerate(ticks, 1):
            line.see(batch(*(row(pid=p, at_s=at, calls={c: n}) for p, c, n in rows)))
        line.end()
        assert len({alert["id"] for alert in line.alerts}) == len(line.alerts)
        opened = [a["episode_id"] for a in line.alerts if a["state"] == "open"]
        closed = [a["episode_id"] for a in line.alerts if a["state"] == "close"]
        back = [a["episode_id"] for a in line.alerts if a["returns"] and a["state"] == "close"]
        assert sorted(opened + back) == sorted(closed)
        return [to_json(alert) for alert in line.alerts]

    assert judged() == judged()


def test_what_ends_together_is_told_in_the_order_it_ended(line: Line, batch: Any, row: Any) -> None:
    """Whoever reads the lines that close alerts reads on in time, whichever opened first."""
    for at in range(1, 12):
        calls = {PTRACE: 3} if at in {1, 11} else {0: 90}
        line.see(batch(row(at_s=at, calls=calls), row(pid=200, at_s=at, program=SHELL)))
        if at == 5:
            line.see(batch(row(pid=200, at_s=at, program=SHELL, calls={CONNECT: 3})))
    closed = line.end()
    assert states(closed) == ["close", "close"]
    assert closed[0]["time"] < closed[1]["time"]
    assert closed[1]["episode_id"] == line.alerts[0]["episode_id"]
