"""An alert that can be answered, and a clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddcall.models.features import FeatureSpec
from oddcall.models.tolerance import Behaviour
from oddcall.service.feedback import Feedback
from oddcall.service.history import History, Kept
from oddcall.service.state import StateDir
from oddcall.training.synthetic import WEB, attacks

NOW = 1_700_000_000_000_000_000
UNSAID = "also, not said above:"
DAY = 86_400_000_000_000
EPISODE = "3f2a9c1b-0000-5000-8000-000000000000"


class Clock:
    """A clock that a test moves."""

    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def showing(call: str) -> dict[str, Any]:
    """Give the part of an alert that says what was odd."""
    told = {
        "sentence": f"web made 9 {call} calls.",
        "top": [{"feature": call, "contribution": 1.0, "observed": 1.0, "typical": {"q95": 0.0}}],
        "onset": "2023-11-14T22:13:19.000000Z",
    }
    return {"explanation": told, "attack_hints": []}


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """A state directory whose history holds one answerable alert."""
    state = StateDir(tmp_path / "state")
    history = History(state.history, print)
    alert = {
        "id": EPISODE,
        "episode_id": EPISODE,
        "state": "open",
        "time": "2023-11-14T22:13:20.000000Z",
        "severity": "high",
        "program": {"exe": WEB.program.exe, "comm": "web", "unit": None, "container": None},
        "process": {"pid": 100},
        "score": {"p_value": 1e-9},
        **showing("connect"),
    }
    history.add(alert)
    vectors = FeatureSpec().vectors(attacks(1, 0)["scan"][0])
    history.behaved(EPISODE, [Behaviour.of(WEB.program, np.array([41, 42]), vectors)])
    history.close()
    return state


@pytest.fixture
def kept(state: StateDir) -> Kept:
    history = History.reading(state.history)
    found = history.find("3f2a")
    history.close()
    return found


def said(state: StateDir, clock: Clock, verb: str, kept: Kept, **more: Any) -> Any:
    history = History.reading(state.history)
    try:
        told, _ = Feedback(state.feedback, clock).answer(verb, kept, history, who="ann", **more)
        return told
    finally:
        history.close()
