"""News in small steps: no window alerts by itself, what they add up to does, and is explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from oddcall.models.explanation.explanation import explain
from oddcall.models.model import Model
from oddcall.models.window import WindowBatch
from oddcall.service.alerts.episode import Episodes
from oddcall.service.alerts.judging import steps
from oddcall.service.alerts.text import render
from oddcall.training.fit import fit
from oddcall.training.synthetic import WEB, Chain, window

CHAIN = Chain(WEB.program, WEB.paths[:5], WEB.weights[:5])
#: Calls that reach nowhere, by their numbers: one of them in each of six windows.
RARE = {25: "mremap", 27: "mincore", 95: "umask", 98: "getrusage", 100: "times", 140: "getpriority"}


def ticks(count: int, start: int, seed: int, *, rare: bool = False) -> list[WindowBatch]:
    random = np.random.default_rng(seed)
    extra = [[number] for number in RARE] if rare else [[]] * count
    return [
        window(
            CHAIN,
            np.concatenate([CHAIN.walk(300, random), found, CHAIN.walk(300, random)]).astype(int),
            second=start + 5 * i,
        )
        for i, found in enumerate(extra)
    ]


@pytest.fixture(scope="module")
def model() -> Model:
    # One alert in a hundred days: as much as a busier host asks of a window.
    return fit(ticks(400, 0, 1)).for_budget(0.01)


def alerts(model: Model, host: dict[str, str], batches: list[WindowBatch]) -> list[Any]:
    episodes = Episodes(model, explain, host)
    return [alert for step in steps(batches, episodes) for alert in step.alerts]


def test_news_in_small_steps_alert_as_one(model: Model, host: dict[str, str]) -> None:
    """One rare call a window: none is enough, together they are one alert that names them."""
    quiet, drip = ticks(20, 3000, 2), ticks(len(RARE), 3200, 3, rare=True)
    assert not alerts(model, host, quiet)
    assert not any(model.judge(batch).alert.any() for batch in drip)
    (told,) = alerts(model, host, [*quiet, *drip])
    assert told["score"]["detectors"]["sequence"] <= model.sequence_threshold
    named = " ".join(f["feature"] for f in told["explanation"]["top"])
    assert sum(name in named for name in RARE.values()) >= 3
    # The evidence is that of all the windows, and so is every feature that is shown.
    assert told["explanation"]["onset"] == told["window"]["start"]
    assert told["window"]["events"] > 2 * int(drip[-1].n_events[0])
    assert "in 26.0 s" in told["explanation"]["sentence"]
    assert f"{told['window']['events']:,} calls in 26.0 s" in render(told)
    assert all(f["typical"]["q95"] == 0 for f in told["explanation"]["top"])


def test_an_alert_shows_the_truly_nearest_windows(model: Model, host: dict[str, str]) -> None:
    """The windows beside an alert are the nearest of all that are kept, by plain distances."""
    random = np.random.default_rng(4)
    odd = window(CHAIN, np.concatenate([CHAIN.walk(300, random), [101, 165] * 40]), second=4000)
    (told,) = alerts(model, host, [odd])
    kept = model.profiles[model.standing(CHAIN.program).profile].exemplars
    vector = model.spec.vectors(odd).toarray()[0].astype(float)
    distance = np.linalg.norm(kept.vectors.toarray().astype(float) - vector, axis=1)
    nearest = np.argsort(distance, kind="stable")[:3]
    found = told["explanation"]["nearest_windows"]
    assert [near["distance"] for near in found] == pytest.approx(distance[nearest], abs=1e-3)
    assert [near["pid"] for near in found] == kept.pid[nearest].tolist()
    assert [near["events"] for near in found] == kept.n_events[nearest].tolist()
