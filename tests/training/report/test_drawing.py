"""Promises of plots: places are right, thinning changes no line, what is written is escaped."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.training.figures import average_precision, measure
from oddcall.training.report.curves import precision_recall, roc, stairs, steps
from oddcall.training.report.drawing import Plot, Scale, decades, percent, round_ticks, thinned


@given(st.floats(1e-6, 1e6), st.floats(0, 1))
def test_a_scale_puts_the_ends_at_the_ends(low: float, share: float):
    """Low and high are at their pixels, and what is outside is at the nearer end."""
    for log in (False, True):
        scale = Scale(low, low * 100, 50, 450, log)
        ends = scale(np.array([low / 2, low, low * 100, low * 200]))
        assert ends == pytest.approx([50, 50, 450, 450])
        value = low * 100**share if log else low + 99 * low * share
        assert scale(value) == pytest.approx(50 + 400 * share, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), min_size=1, max_size=60))
def test_thinning_keeps_the_line(points: list[tuple[int, int]]):
    """The thinned line passes through what the whole passes through, between pixels."""
    x, y = (np.array(column, np.float64) for column in zip(*sorted(points), strict=True))
    kept = thinned(x, y)
    assert kept[0] == 0
    assert kept[-1] == len(x) - 1
    between = np.linspace(x[0], x[-1], 50)
    apart = ~np.isin(between, x)  # at a step the line has more than one height
    assert np.interp(between[apart], x, y) == pytest.approx(
        np.interp(between[apart], x[kept], y[kept])
    )


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_inside(low: float, span: float):
    """There are a handful of ticks, none outside."""
    ticks = round_ticks(low, low + span)
    assert 2 <= len(ticks) <= 7
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)


def test_words():
    """Shares are written short, powers of ten are all there."""
    assert [percent(v) for v in (0, 0.0001, 0.05, 0.123, 1)] == [
        "0", "0.01 %", "5 %", "12 %", "100 %",
    ]  # fmt: skip
    assert decades(0.001, 1) == pytest.approx([0.001, 0.01, 0.1, 1])


SCORES = st.lists(st.integers(0, 12), min_size=1, max_size=40)


@given(SCORES, SCORES)
def test_curves_are_of_the_figures(normal: list[int], attack: list[int]):
    """The steps that are drawn enclose the average precision and reach everything."""
    n, a = np.array(normal, np.float64), np.array(attack, np.float64)
    false, found, precision = steps(measure(n, a, 5.5))
    assert (false[-1], found[-1]) == (1, 1)
    area = np.sum(np.diff(found, prepend=0) * precision)
    assert area == pytest.approx(average_precision(n, a))


@given(SCORES, SCORES)
def test_the_line_is_what_is_found_at_each_rate(normal: list[int], attack: list[int]):
    """Between steps the line is level, at the most that a threshold within that rate finds."""
    n, a = np.array(normal, np.float64), np.array(attack, np.float64)
    x, y = stairs(measure(n, a, 5.5), 1e-3)
    assert ((np.diff(x) == 0) | (np.diff(y) == 0)).all()
    for rate in (np.arange(len(n)) + 0.5) / len(n):
        allowed = [level for level in range(13) if np.mean(n >= level) <= rate]
        most = max((np.mean(a >= level) for level in allowed), default=0.0)
        assert np.interp(rate, x, y) == pytest.approx(most)


@pytest.mark.parametrize("normal", [13, 99, 100, 2000])
def test_a_line_begins_at_the_rate_of_one_clean_trace(normal: int):
    """However well attacks are found, nothing is drawn at rates that so few cannot tell."""
    found = measure(np.arange(float(normal)), np.arange(10.0) + 1e6, 0.0)
    drawn = {
        line.get("class"): [float(point.split(",")[0]) for point in line.get("points").split()]
        for line in ET.fromstring(roc({"x": found}, unit="traces")).iter("polyline")
    }
    left, right = drawn["chance"][0], drawn["chance"][-1]
    share = 1 - np.log10(normal) / np.ceil(np.log10(normal))
    assert min(drawn["line c0"]) == pytest.approx(left + share * (right - left), abs=0.1)


def test_a_plot_is_sound_and_says_what_it_shows():
    """SVG parses, has a name, labels on both axes, and escapes what it is given."""
    random = np.random.default_rng(0)
    result = measure(random.normal(0, 1, 500), random.normal(2, 1, 40), 2.0, resamples=20)
    for svg in (
        roc({"<b>": result}, unit="windows"),
        precision_recall({"<b>": result}, unit="windows"),
    ):
        root = ET.fromstring(svg)
        assert root.get("aria-label")
        labels = [e.text for e in root.iter("text") if e.get("class") == "label"]
        assert all(labels)
        assert len(labels) == 2
    plot = Plot("<&>", (0, 1), (0, 1))
    plot.shade(0.2, 0.3, "<script>")
    assert ET.fromstring(plot.svg([], [])).find("rect/title").text == "<script>"
