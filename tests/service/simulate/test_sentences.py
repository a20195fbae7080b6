"""Every behaviour is really done in a web server that was learned, and its sentence read."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from oddcall.models.explanation.explanation import explain
from oddcall.models.model import Model
from oddcall.models.window import WindowBatch
from oddcall.sensor.sensor import Sensor, SensorSettings
from oddcall.service import simulate
from oddcall.service.simulate import Behaviour, Outcome, behaviours
from oddcall.training.fit import FitSettings, fit

from .conftest import Demo

pytestmark = pytest.mark.kernel

WINDOWS, INTERVAL_S, ACT_S = 80, 0.25, 0.5
#: A few new calls, or more of known ones, among thousands of usual ones: after so short a lesson
#: not always enough for an alert a day, but the window stands out, and its sentence is read. Twenty
#: seconds are less than what people are told of: one more is faint here.
FAINT = {"module-load", *(behaviour.name for behaviour in behaviours() if behaviour.faint)}
VISIBLE = [behaviour for behaviour in behaviours() if not behaviour.invisible]


@dataclass
class Watched:
    """A learned server, and every window of the time in which it misbehaved."""

    model: Model
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    batches: list[WindowBatch] = field(default_factory=list)

    def sentences(self, name: str) -> list[str]:
        """What alerts, or else the oddest window, say of the server while it did a behaviour."""
        outcome = self.outcomes[name]
        said, faint = [], []
        for batch in self.batches:
            mine = (batch.pid == outcome.pid) | (batch.ppid == outcome.pid)
            mine &= batch.t_end_ns / 1e9 >= outcome.start
            mine &= batch.t_start_ns / 1e9 <= outcome.end
            if mine.any():
                verdicts = self.model.judge(batch)
                for row in np.flatnonzero(mine).tolist():
                    sentence = explain(self.model, batch, row, verdicts).sentence
                    faint.append((float(verdicts.p_value[row]), sentence))
                    said += [sentence] if verdicts.alert[row] else []
        return said or ([min(faint)[1]] if name in FAINT else [])


@pytest.fixture(scope="module")
def watched(demo: Demo) -> Iterator[Watched]:
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            simulate.load(demo.url, 1.0, rate=150, seed=None)

    thread = threading.Thread(target=load)
    thread.start()
    settings = SensorSettings(interval_s=INTERVAL_S, max_cpu=1.0)
    try:
        with Sensor(settings) as sensor:
            yield _watched(sensor, demo)
    finally:
        done.set()
        thread.join()


def _watched(sensor: Sensor, demo: Demo) -> Watched:
    ticks = sensor.ticks()
    clean: list[WindowBatch] = []
    while sum(map(len, clean)) < WINDOWS:
        batch = next(ticks).windows
        clean.append(batch.take(batch.pid == demo.pid))
    watched = Watched(fit(clean, FitSettings(min_windows=20), {"arch": os.uname().machine}))
    print(
        [(s.readiness, s.new_rate, s.windows) for s in watched.model.programs],
        watched.model.threshold,
    )
    # What came while it was trained is nobody's misbehaviour.
    next(ticks)
    for behaviour in VISIBLE:
        outcome = simulate.run(behaviour.name, via=demo.url, seconds=ACT_S)
        watched.outcomes[behaviour.name] = outcome
        watched.batches += [next(ticks).windows for _ in range(2)]
    return watched


@pytest.mark.parametrize("behaviour", VISIBLE, ids=[b.name for b in VISIBLE])
def test_the_alert_names_the_cause(watched: Watched, behaviour: Behaviour) -> None:
    """Each behaviour alerts at one alert a day, and one of its sentences names what it called."""
    if watched.outcomes[behaviour.name].detail.get("refused") == "Function not implemented":
        pytest.skip("this kernel has no such call")
    said = watched.sentences(behaviour.name)
    assert said, f"{behaviour.name} was not noticed"
    assert any(re.search(rf"\b{call}\b", text) for call in behaviour.cause for text in said), (
        "\n".join(said)
    )
