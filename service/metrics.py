"""Metrics of the running watch for Prometheus: a bounded set whose names were chosen once.

``docs/metrics.md`` says what each means; a test holds the two together. Labels are states,
severities, kinds of loss and the sinks of the settings: nothing that a program of the host
could make up.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from oddcall.service.alerts.severity import LEVELS
from oddcall.service.board.board import Board
from oddcall.service.board.picture import states

#: Of the answer, as Prometheus asks for it.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PHASES = ("starting", "learning", "training", "watching", "stopped")
STATES = ("collecting", "learning", "ready", "drifting", "stale", "forgotten", "unknown")

_Family = GaugeMetricFamily | CounterMetricFamily


class BoardCollector(Collector):
    """Reads the board whenever it is asked."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[_Family]:
        """Give every metric as it stands."""
        with self._board.lock:
            yield from _about(self._board)
            yield from _seen(self._board)
            yield from _coverage(self._board)
            yield from _cost(self._board)
        yield from _sinks(self._board)


def exposition(board: Board) -> bytes:
    """Write every metric as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(BoardCollector(board))
    return generate_latest(registry)


def _about(board: Board) -> Iterator[_Family]:
    build = GaugeMetricFamily(
        "oddcall_build_info",
        "Version and loader of the running watch; always 1.",
        labels=["version", "loader"],
    )
    build.add_metric([version("oddcall"), board.loader], 1)
    yield build
    phase = GaugeMetricFamily("oddcall_phase", "1 for the phase it is in.", labels=["phase"])
    for name in PHASES:
        phase.add_metric([name], float(board.phase == name))
    yield phase
    yield _gauge("oddcall_start_time_seconds", "When the watch began, UTC.", board.began_ns / 1e9)


def _seen(board: Board) -> Iterator[_Family]:
    yield _counter("oddcall_windows", "Windows that closed.", board.windows)
    yield _counter("oddcall_calls", "System calls counted in them.", board.calls)
    alerts = CounterMetricFamily(
        "oddcall_alerts", "Episodes that began, by their first severity.", labels=["severity"]
    )
    for level in LEVELS:
        alerts.add_metric([level], board.opened.get(level, 0))
    yield alerts
    programs = GaugeMetricFamily(
        "oddcall_programs", "Programs known, by how they stand.", labels=["state"]
    )
    found = states(board)
    for state in STATES:
        programs.add_metric([state], found.get(state, 0))
    yield programs
    if board.model:
        yield _gauge(
            "oddcall_budget_per_day",
            "False alerts a day that the model keeps to.",
            board.model.budget_per_day,
        )
    yield _gauge(
        "oddcall_budget_used_today",
        "Episodes that began since the host's midnight.",
        board.used_today,
    )


def _coverage(board: Board) -> Iterator[_Family]:
    lost = CounterMetricFamily(
        "oddcall_lost", "What could not be counted or told apart, by kind.", labels=["kind"]
    )
    for kind, count in board.lost.items():
        lost.add_metric([kind.replace(" ", "_")], count)
    yield lost
    tick = board.tick
    yield _gauge(
        "oddcall_last_tick_time_seconds",
        "When the kernel's counts were last read, UTC; 0 before the first time.",
        tick.time_ns / 1e9 if tick else 0,
    )
    yield _gauge("oddcall_tick_late_seconds", "How much later than planned that was.", board.late_s)
    yield _gauge(
        "oddcall_tick_interval_seconds",
        "Time between two readings; longer than the setting while it takes too much.",
        tick.interval_s if tick else 0,
    )
    yield _gauge(
        "oddcall_processes_tracked",
        "Processes that have a slot in the kernel's map.",
        tick.tracked if tick else 0,
    )
    yield _gauge("oddcall_processes_capacity", "Slots that there are.", board.capacity)


def _cost(board: Board) -> Iterator[_Family]:
    tick = board.tick
    if tick is None:
        return
    yield _counter("oddcall_cpu_seconds", "Processor time the watch itself took.", tick.cost.cpu_s)
    yield _gauge("oddcall_resident_bytes", "Memory the watch holds.", tick.cost.rss_bytes)
    if tick.cost.bpf_s is not None:
        yield _counter(
            "oddcall_bpf_run_seconds",
            "Processor time its programs took in the kernel (sensor.time_kernel_side).",
            tick.cost.bpf_s,
        )


def _sinks(board: Board) -> Iterator[_Family]:
    found = board.sinks()
    waiting = GaugeMetricFamily(
        "oddcall_sink_waiting", "Alerts not delivered to a sink yet.", labels=["sink"]
    )
    sent = CounterMetricFamily(
        "oddcall_sink_sent", "Alerts delivered to a sink since the start.", labels=["sink"]
    )
    dropped = CounterMetricFamily(
        "oddcall_sink_dropped", "Alerts a sink had to drop.", labels=["sink", "reason"]
    )
    failing = GaugeMetricFamily(
        "oddcall_sink_failing", "1 while the last try to deliver failed.", labels=["sink"]
    )
    for sink in found:
        waiting.add_metric([sink.name], sink.waiting)
        sent.add_metric([sink.name], sink.sent)
        failing.add_metric([sink.name], float(bool(sink.failing)))
        for reason, count in sink.dropped.as_dict().items():
            dropped.add_metric([sink.name, reason], count)
    yield from (waiting, sent, dropped, failing)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)
