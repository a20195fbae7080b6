"""The board as plain values for JSON: what the page, its API and ``top`` read."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from oddcall.models import calls
from oddcall.models.naming import told_apart
from oddcall.models.window import CALLS, Program
from oddcall.service.alerts.alert import iso
from oddcall.service.board.board import SPANS, Board
from oddcall.service.board.episodes import folded
from oddcall.service.board.programs import key_of
from oddcall.service.quantities import Budget

if TYPE_CHECKING:
    from oddcall.models.baseline import Baseline

#: Of the keys below. A reader that knows another number should say so.
VERSION = 1
#: Processes given of those that had a window lately, the least likely first.
PROCESSES = 200
#: Episodes given, the latest first.
EPISODES = 50
#: Calls of a program's normal that are given.
_CALLS = 40

Json = dict[str, Any]


def picture(board: Board) -> Json:
    """Give the whole state, without single alerts' evidence and without time lines."""
    with board.lock:
        tick, model, progress = board.tick, board.model, board.progress
        cpu, kernel = board.cost()
        labels = told_apart(_known(board))
        return {
            "schema_version": VERSION,
            "version": version("oddcall"),
            "seq": board.version,
            "time": iso(tick.time_ns if tick else board.now()),
            "began": iso(board.began_ns),
            "pid": board.pid,
            "host": board.host,
            "loader": board.loader,
            "phase": board.phase,
            "alive": board.alive,
            "learning": None
            if progress is None
            else {
                "line": progress.line,
                "done": round(min(progress.done, 1.0), 4),
                "elapsed_s": round(progress.elapsed_s, 1),
                "remaining_s": round(progress.remaining_s, 1),
                "windows": progress.windows,
            },
            "model": None
            if model is None
            else {
                "id": model.id,
                "programs": len(model.programs),
                "expected_alerts_per_day": _short(model.expected_alerts_per_day),
                "warnings": list(model.warnings),
            },
            "budget": {
                "per_day": model.budget_per_day if model else None,
                "said": str(Budget.of_day(model.budget_per_day)) if model else None,
                "used_today": board.used_today,
                "unsent": board.unsent,
                "threshold": _short(model.threshold) if model else None,
            },
            "coverage": {
                "tracked": tick.tracked if tick else 0,
                "capacity": board.capacity,
                "lost": board.lost,
                "lost_total": sum(board.lost.values()),
                "late_s": round(board.late_s, 4),
                "interval_s": tick.interval_s if tick else None,
            },
            "cost": {
                "cpu_share": round(cpu, 5),
                "kernel_share": None if kernel is None else round(kernel, 6),
                "rss_bytes": tick.cost.rss_bytes if tick else 0,
            },
            "windows": board.windows,
            "calls": board.calls,
            "alerts_opened": dict(board.opened),
            "programs": _programs(board, labels),
            "processes": _processes(board, labels),
            "processes_lately": len(board.processes),
            "episodes": folded(board.alerts)[:EPISODES],
        }


def states(board: Board) -> dict[str, int]:
    """Count programs by how they stand."""
    with board.lock:
        counted: dict[str, int] = {}
        for program in _known(board):
            state = board.standing(program).state
            counted[state] = counted.get(state, 0) + 1
        return counted


def timeline(board: Board, span: str) -> Json:
    """Give the host's numbers over a span of ``SPANS``, in columns, oldest first."""
    with board.lock:
        ring = board.timelines[span]
        columns = {
            name: _list(ring.latest(name, ring.bins)[0])
            for name in ("p", "windows", "calls", "errors", "lost", "alerts", "late_s")
        }
        return {
            "span": span,
            "spans": list(SPANS),
            "width_s": ring.width_s,
            "time_s": ring.times_s().tolist(),
            "threshold": _short(board.model.threshold) if board.model else None,
            **columns,
        }


def program(board: Board, key: str) -> Json | None:
    """Give one program's page: how it stands, its normal, its recent windows; None for no such."""
    with board.lock:
        found = next((known for known in _known(board) if key_of(known) == key), None)
        if found is None:
            return None
        row = board.programs.rows.get(found)
        labels = told_apart(_known(board))
        shown = _program(board, found, labels[found], row, _lately(board))
        recent = [] if row is None else _processes(board, labels, row)
        return {
            **shown,
            "dev": found.dev,
            "ino": found.ino,
            "baseline": _baseline(board, found, row),
            "timelines": [] if row is None else _program_timelines(board, row),
            "processes": recent,
            "episodes": folded(a for a in board.alerts if _is_of(a, found))[:EPISODES],
        }


def _known(board: Board) -> dict[Program, None]:
    """Programs seen since the start, then those that only the model knows."""
    trained = [state.program for state in board.model.programs] if board.model else []
    met = {board.same(program) for program in board.programs.rows}
    here = [*board.programs.rows, *(program for program in trained if program not in met)]
    return dict.fromkeys(here)


def _lately(board: Board) -> dict[str, NDArray[np.float64]]:
    programs = board.programs
    return {
        "p_worst": programs.lately("p"),
        "windows_5m": programs.lately("windows"),
        "alerts_5m": programs.lately("alerts"),
        "calls_s": programs.rate("calls"),
        "errors_s": programs.rate("errors"),
    }


def _programs(board: Board, labels: dict[Program, str]) -> list[Json]:
    lately = _lately(board)
    rows = board.programs.rows
    return [_program(board, one, labels[one], rows.get(one), lately) for one in labels]


def _program(
    board: Board,
    known: Program,
    label: str,
    row: int | None,
    lately: dict[str, NDArray[np.float64]],
) -> Json:
    standing = board.standing(known)
    shown: Json = {
        "id": key_of(known),
        "name": known.name,
        "label": label,
        "exe": known.exe,
        "unit": known.unit or None,
        "container": known.container or None,
        "state": standing.state,
        "why": standing.why,
        "level": standing.level or None,
        "baseline_windows": standing.windows,
    }
    if row is None:
        return {**shown, "seen": None, "p_now": None, **dict.fromkeys(lately, None)}
    last_ns = int(board.programs.last_ns[row])
    return {
        **shown,
        "seen": iso(last_ns) if last_ns else None,
        "p_now": _short(float(board.programs.p_now[row])),
        **{name: _short(float(values[row])) for name, values in lately.items()},
    }


def _processes(board: Board, labels: dict[Program, str], program: int | None = None) -> list[Json]:
    """Give the processes worth a look: of all programs, or of one by its row."""
    columns = board.processes.columns
    if not columns:
        return []
    if program is not None:
        of_it = columns["program"] == program
        columns = {name: column[of_it] for name, column in columns.items()}
    order = _worth_a_look(columns)
    by_row = {row: known for known, row in board.programs.rows.items()}
    shown = {name: column[order].tolist() for name, column in columns.items()}
    listed = []
    for i, row in enumerate(shown["program"]):
        known = by_row.get(row)
        if known is None:  # its program made room for another
            continue
        listed.append(
            {
                "pid": shown["pid"][i],
                "ppid": shown["ppid"][i],
                "uid": shown["uid"][i],
                "comm": shown["comm"][i],
                "program": key_of(known),
                "name": known.name,
                "label": labels[known],
                "p": _short(shown["p"][i]),
                "calls_s": _short(shown["calls_s"][i]),
                "errors_s": _short(shown["errors_s"][i]),
                "alert": shown["alert"][i],
                "ended": shown["ended"][i],
                "seen": iso(shown["t_end_ns"][i]),
            }
        )
    return listed


def _worth_a_look(columns: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
    """Rows of at most `PROCESSES`, the least likely first.

    The busiest that live are always among them, however many short-lived ones were less likely.
    """
    # NaN, of what is not judged, is sorted last.
    rank = np.lexsort([-columns["calls_s"], columns["p"]])
    ended = columns["ended"][rank]
    living, gone = rank[~ended], rank[ended]
    busiest = living[np.argsort(-columns["calls_s"][living], kind="stable")]
    places = np.unique(np.concatenate([busiest[: PROCESSES // 2], living[: PROCESSES // 4]]))
    wanted = np.concatenate([places, gone[: PROCESSES - len(places)]])
    left = living[~np.isin(living, places)]
    wanted = np.concatenate([wanted, left[: PROCESSES - len(wanted)]])
    chosen: NDArray[np.int64] = rank[np.isin(rank, wanted)]
    return chosen


def _program_timelines(board: Board, row: int) -> list[Json]:
    return [
        {
            "width_s": ring.width_s,
            "time_s": ring.times_s().tolist(),
            **{
                name: _list(ring.latest(name, ring.bins)[row]) for name in ("p", "windows", "calls")
            },
            **{name: _list(ring.latest(name, ring.bins)[row]) for name in ("errors", "alerts")},
        }
        for ring in board.programs.rings
    ]


def _baseline(board: Board, known: Program, row: int | None) -> Json | None:
    """Give what is normal for a program beside what it did lately."""
    if board.model is None or board.standing(known).state == "forgotten":
        return None
    profile = board.model.standing(board.same(known)).profile
    if profile < 0:
        return None
    baseline = board.model.profiles[profile]
    return {
        "name": baseline.name,
        "windows": baseline.windows,
        "first": iso(baseline.first_ns),
        "last": iso(baseline.last_ns),
        "features": len(baseline.features),
        "calls": _normal(board, baseline, row),
    }


def _normal(board: Board, baseline: Baseline, row: int | None) -> list[Json]:
    """Shares of calls: typical ones, largest first, and what was made lately."""
    spec = board.model.spec if board.model else None
    if spec is None:
        return []
    numbers = np.arange(CALLS)
    # Squared: vectors hold square roots of shares.
    typical = baseline.typical(spec.starts["syscalls"] + numbers).astype(np.float64) ** 2
    known = np.isin(spec.starts["syscalls"] + numbers, baseline.features)
    made = np.zeros(CALLS) if row is None else board.programs.made(row)[0].astype(np.float64)
    failed = np.zeros(CALLS) if row is None else board.programs.made(row)[1].astype(np.float64)
    share = made / max(made.sum(), 1e-9)
    names = calls.names(board.host.get("arch", "x86_64"))
    weight = np.maximum(typical[:, 2], share)
    order = [i for i in np.argsort(-weight, kind="stable")[:_CALLS] if known[i] or made[i] >= 0.5]
    return [
        {
            "call": names[i],
            "typical": {
                "q05": _short(typical[i, 0]),
                "q50": _short(typical[i, 1]),
                "q95": _short(typical[i, 2]),
            },
            "lately": _short(share[i]) if made.sum() >= 1 else None,
            "failing": _short(failed[i] / made[i]) if made[i] >= 0.5 else None,
            "never": bool(not known[i]),
        }
        for i in order
    ]


def _is_of(alert: Json, known: Program) -> bool:
    about = alert["program"]
    return bool(about["exe"] == known.exe and (about["unit"] or "") == known.unit)


def _list(values: NDArray[np.float64]) -> list[float | None]:
    return [_short(value) for value in values.tolist()]


def _short(value: float) -> float | None:
    """Four digits; JSON has no NaN."""
    return None if not math.isfinite(value) else float(f"{value:.4g}")
