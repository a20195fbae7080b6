"""The page of ``evaluate traces --html``: what is drawn, what it says of it, and that it fits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from oddcall.service.evaluation.traces_page import write
from oddcall.training.figures import Result, mean_result, measure
from oddcall.training.report.curves import MOST_LINES
from oddcall.training.report.page import figure, heading, page, side_by_side
from oddcall.training.traces.attack_kinds import by_kind
from oddcall.training.traces.detectors.peers import CumulativeAutoencoder, KneserNey, Stide
from oddcall.training.traces.evaluation import DEFAULT, DETECTORS
from oddcall.training.traces.traces import Split, TraceSet, Vocabulary

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RIVALS = {detector.name for detector in (Stide, KneserNey, CumulativeAutoencoder)}


def judged(seed: int = 0) -> dict[str, Result]:
    """Figures of every detector, in the order in which they are judged."""
    random = np.random.default_rng(seed)
    return {
        name: measure(random.normal(0, 1, 90), random.normal(1.5, 1, 30), 1.6, resamples=20)
        for name in DETECTORS
    }


def splits(*names: str) -> list[Split]:
    """As many splits of one set."""
    vocabulary = Vocabulary()
    some = TraceSet.of([np.full(3, vocabulary.id("read"))] * 3, vocabulary)
    return [Split(name, some, some, some) for name in names]


def written(path: Path, of: list[Split], results: dict[str, Result]) -> str:
    kinds = {DEFAULT: by_kind(results[DEFAULT], ["shell", "scan", "rewrite"] * 10)}
    write(path, of, results, kinds, DEFAULT)
    return path.read_text()


def test_rivals_are_drawn_before_parts_and_what_is_not_drawn_is_named(tmp_path: Path):
    """The default is in front, what others do before its own parts; the rest is named below."""
    text = written(tmp_path / "x.html", splits("adfa-833"), judged())
    drawn = re.findall(r"</svg>([a-z-]+)</li>", text)
    assert drawn[0] == DEFAULT
    assert len(drawn) == MOST_LINES
    assert set(drawn) >= RIVALS
    (told,) = re.findall(r"Not drawn, in the table only: (.+?)\.", text)
    assert {*drawn, *told.split(", ")} == set(DETECTORS)
    assert len(drawn) + len(told.split(", ")) == len(DETECTORS)
    assert re.findall(r"<td>([a-z-]+)</td>", text)[: len(DETECTORS)] == [*drawn, *told.split(", ")]


def test_nothing_is_named_where_everything_is_drawn(tmp_path: Path):
    """With few detectors no line says that one is left out."""
    few = dict(list(judged().items())[:MOST_LINES])
    assert "Not drawn" not in written(tmp_path / "x.html", splits("adfa-833"), few)


def test_ranges_are_said_to_be_what_they_are(tmp_path: Path):
    """Of one split ranges are of resampled traces, of several from the least to the greatest."""
    one = written(tmp_path / "one.html", splits("adfa-833"), judged())
    assert "<h1>Detectors on adfa-833</h1>" in one
    assert "by resampling traces" in one
    both = [judged(seed) for seed in (0, 1)]
    mean = {name: mean_result([run[name] for run in both]) for name in DETECTORS}
    several = written(tmp_path / "many.html", splits("adfa-ring 0", "adfa-ring 1"), mean)
    assert "<h1>Detectors on adfa-ring</h1>" in several
    assert "from the least to the greatest of the 2 splits" in several
    assert "resampl" not in several


@pytest.mark.parametrize("width", [1280, 400])
def test_a_page_is_as_wide_as_the_screen(width: int, tmp_path: Path, browser: Browser):
    """Neither plots nor a long path as a caption make a page scroll sideways, on a phone too."""
    written(tmp_path / "traces.html", splits("adfa-833"), judged())
    long = "/opt/" + "a-folder-of-a-service-" * 8 + "/bin/python3.11"
    plot = '<svg viewBox="0 0 460 320"></svg>'
    body = [heading(long), figure(plot, long), side_by_side([figure(plot, long)] * 2)]
    (tmp_path / "paths.html").write_text(page(long, long, body, "oddcall"))
    shown = browser.new_page(viewport={"width": width, "height": 900})
    for name in ("traces.html", "paths.html"):
        shown.goto((tmp_path / name).as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
    shown.close()
