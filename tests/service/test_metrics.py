"""Promises about metrics: the page in docs, the output, the rules and the dashboard agree."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from oddcall.service.board.board import Board
from oddcall.service.metrics import exposition
from oddcall.service.sinks.losses import Losses
from oddcall.service.sinks.queued import State

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS, GRAFANA = ROOT / "deploy" / "prometheus", ROOT / "deploy" / "grafana"


@pytest.fixture(scope="module")
def full(watched: Board) -> dict[str, dict[tuple[str, ...], float]]:
    """Every metric that there can be: name of a sample -> label values -> value."""
    board = Board(watched.host, capacity=100, loader="core", now=watched.now)
    assert watched.tick
    assert watched.model
    cost = replace(watched.tick.cost, bpf_s=0.25)
    board.watching(watched.model)
    board.see(replace(watched.tick, cost=cost, lost={"events without a slot": 7}, late_s=0.5))
    board.alerted({"id": "1", "state": "open", "severity": "high"})
    board.sinks = lambda: [State("siem", 3, 20, Losses(2, 1), "refused")]
    return samples(board)


def samples(board: Board) -> dict[str, dict[tuple[str, ...], float]]:
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(exposition(board).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_values_are_the_board_s(full: dict[str, dict[tuple[str, ...], float]]) -> None:
    """What was seen, lost, alerted, sent and spent is what is told."""
    assert full["oddcall_phase"][("watching",)] == 1
    assert sum(full["oddcall_phase"].values()) == 1
    assert full["oddcall_windows_total"][()] > 0
    assert full["oddcall_alerts_total"][("high",)] == 1
    assert full["oddcall_lost_total"] == {("events_without_a_slot",): 7}
    assert full["oddcall_tick_late_seconds"][()] == 0.5
    assert full["oddcall_bpf_run_seconds_total"][()] == 0.25
    assert full["oddcall_programs"][("ready",)] >= 2
    assert full["oddcall_sink_dropped_total"] == {("full", "siem"): 2, ("refused", "siem"): 1}
    assert full["oddcall_sink_failing"] == {("siem",): 1}


def test_the_page_lists_every_metric(full: dict[str, dict[tuple[str, ...], float]]) -> None:
    """docs/metrics.md has each name with its type and labels, and none that is not there."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(oddcall_\w+)` \| (\w+) \|([^|]*)\|", page, re.MULTILINE)
    told = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    assert set(told) == set(full)
    board_text = {name: kind for name, (kind, _) in told.items()}
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in board_text.items())
    for name, (_, labels) in told.items():
        assert {len(values) for values in full[name]} == {len(labels)}, name


def test_the_set_is_bounded(watched: Board) -> None:
    """However many programs and processes there are, no more series come of them."""
    assert len(watched.programs.rows) > 2
    text = exposition(watched).decode()
    assert not any(program.exe in text for program in watched.programs.rows)


def test_before_the_first_tick_it_says_little_and_nothing_wrong() -> None:
    """A watch that has just begun is already scraped."""
    early = samples(Board({}, capacity=8))
    assert early["oddcall_phase"][("starting",)] == 1
    assert early["oddcall_last_tick_time_seconds"][()] == 0
    assert "oddcall_budget_per_day" not in early


@pytest.mark.parametrize("file", [PROMETHEUS / "oddcall.rules.yml", GRAFANA / "oddcall.json"])
def test_what_reads_metrics_knows_their_names(
    file: Path, full: dict[str, dict[tuple[str, ...], float]]
) -> None:
    """Rules and dashboard ask for metrics that there are."""
    asked = set(re.findall(r"\boddcall_\w+", file.read_text()))
    assert asked
    assert asked <= set(full)


def test_the_dashboard_is_whole() -> None:
    """Panels have ids of their own, do not overlap, and take the data source that is chosen."""
    board = json.loads((GRAFANA / "oddcall.json").read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}


@pytest.mark.parametrize(
    "words", [["check", "rules", "oddcall.rules.yml"], ["test", "rules", "oddcall.rules.test.yml"]]
)
def test_promtool_accepts_the_rules(words: list[str]) -> None:
    """Prometheus' own tool reads them, and they fire when they should and not before."""
    promtool = shutil.which("promtool")
    assert promtool, "no promtool: `make setup-test` installs it"
    done = subprocess.run(
        [promtool, *words], check=False, cwd=PROMETHEUS, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_metrics(watched: Board) -> None:
    """Names and help follow what Prometheus recommends."""
    promtool = shutil.which("promtool")
    assert promtool, "no promtool: `make setup-test` installs it"
    done = subprocess.run(
        [promtool, "check", "metrics"],
        check=False,
        input=exposition(watched),
        capture_output=True,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
