"""Promises of a shadow: judged by the same windows, counted and compared, never sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oddcall.service import live, shadow
from oddcall.service.alerts.episode import Episodes, EpisodeSettings
from oddcall.service.alerts.judging import steps
from oddcall.service.cli import run
from oddcall.service.shadow import Shadow, Tally

PTRACE, CONNECT = 101, 42


def test_what_both_see_and_what_one_sees_alone(
    odd_calls: Any,
    host: Any,
    batch: Any,
    row: Any,
    screen: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Openings of the same program at about the same time are one; the rest is told apart."""
    monkeypatch.setattr(shadow, "explain", type(odd_calls).explain)
    beside = Shadow(odd_calls, host, EpisodeSettings(cooldown_s=0), screen.say)
    ticks = [batch(row(at_s=at)) for at in range(1, 400)]
    for at in (10, 200, 300):
        ticks[at] = batch(row(at_s=at + 1, calls={PTRACE: 3}))
    episodes = Episodes(odd_calls, type(odd_calls).explain, host, EpisodeSettings(cooldown_s=0))
    for i, step in enumerate(steps(iter(ticks), episodes)):
        # The active model misses the third, and sees one more at the end.
        lines = [] if 290 < i < 320 else step.alerts
        beside.see(step.batch, lines)
    extra = batch(row(at_s=500, calls={CONNECT: 3}))
    opened = episodes.step(extra, odd_calls.judge(extra)).sent
    beside.see(batch(row(at_s=500)), opened)
    assert beside.tally() == Tally(both=2, active=1, shadow=1)
    assert len([line for line in screen.lines if line.startswith("shadow, not sent: ")]) == 3
    assert str(beside.tally()) == (
        "the shadow opened 3 alerts: 2 with the active model, 1 alone; 1 of the active model's it "
        "did not see"
    )


def test_a_shadow_that_cannot_be_read_is_refused_before_the_lesson(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits for a lesson to be told of it, nor loses by --relearn what was learned."""
    monkeypatch.setattr(live, "open_sensor", lambda _: pytest.fail("it began"))
    state = tmp_path / "state"
    state.mkdir()
    (state / "baseline.oddcall").write_text("learned")
    words = ["watch", "--state-dir", str(state), "--relearn", "--shadow", str(tmp_path / "nope")]
    assert run(words) == 6
    assert "cannot read a model bundle at" in " ".join(capsys.readouterr().err.split())
    assert (state / "baseline.oddcall").exists()
