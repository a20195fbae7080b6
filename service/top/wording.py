"""Numbers, bars and lines of ``oddcall top``: plain text of a fixed width."""

from __future__ import annotations

import math
from typing import Any

from oddcall.service.alerts.text import clean
from oddcall.service.quantities import Budget, counted

Json = dict[str, Any]


def chance(p: float | None) -> str:
    """Write a p-value in at most seven characters."""
    if p is None:
        return "-"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def rate(value: float | None) -> str:
    """Write a number a second in at most seven characters."""
    if value is None:
        return "-"
    if value >= 100_000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.1f}"


def share(value: float | None) -> str:
    """Write a share as a percentage."""
    if value is None:
        return "-"
    if value < 0.001:
        return "<0.1 %" if value else "0 %"
    return f"{value:.1%}".replace("%", " %") if value < 0.1 else f"{value:.0%}".replace("%", " %")


def cut(text: str, width: int) -> str:
    """Make a text printable, and no longer than so much."""
    shown = clean(text)
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def headline(state: Json) -> str:
    """Say in a line what is watched and how far it is."""
    host = clean(state["host"].get("name", ""))
    if learning := state["learning"]:
        return f"{host}: {learning['line']} ({learning['done']:.0%})"
    programs = state["programs"]
    ready = sum(program["state"] == "ready" for program in programs)
    return f"{host}: {state['phase']} {counted(len(programs), 'program')}, {ready} ready"


def coverage(state: Json) -> str:
    """Say in a line what was seen and lost, and what that cost."""
    seen, cost = state["coverage"], state["cost"]
    lost = f"{seen['lost_total']:,} lost" if seen["lost_total"] else "nothing lost"
    return (
        f"{lost}, {seen['tracked']:,} of {seen['capacity']:,} processes, "
        f"{seen['late_s'] * 1000:.0f} ms late; own {cost['cpu_share']:.1%}, "
        f"{cost['rss_bytes'] / 1e6:.0f} MB"
    )


def budget(state: Json) -> str:
    """Say in a line how much of the budget is used, and what was alerted last."""
    per_day, used = state["budget"]["per_day"], state["budget"]["used_today"]
    said = f"{counted(used, 'alert')} today"
    if per_day is not None:
        said += f", the budget is {Budget.of_day(per_day)}"
    open_now = sum(episode["state"] == "open" for episode in state["episodes"])
    if open_now:
        said += f"; {open_now} going on"
    elif state["episodes"]:
        last = state["episodes"][0]
        said += f"; the last one at {last['last'][11:19]} UTC, {cut(last['name'], 24)}"
    return said


def episode(told: Json) -> str:
    """Say what an alert is about: its oddest, after the latest of its other kinds."""
    also = told.get("also")
    return f"{told['sentence']} Also: {also[0]}" if also else str(told["sentence"])


def bar(seen: float | None, typical: Json, full: float, width: int) -> str:
    """Draw a typical range and what was observed, on a square-root scale.

    ``─────░░░░█░░───`` with ``●`` where the observed value is.
    """

    def at(value: float) -> int:
        return round((width - 1) * math.sqrt(min(max(value / full, 0.0), 1.0)))

    cells = ["·"] * width
    if typical["q95"] > 0:
        for i in range(at(typical["q05"]), at(typical["q95"]) + 1):
            cells[i] = "▒"
        cells[at(typical["q50"])] = "│"
    if seen is not None:
        cells[at(seen)] = "●"
    return "".join(cells)


def told_of(page: Json) -> str:
    """Say how a program stands, in one paragraph."""
    if page["seen"] is None:
        return f"{page['why']} Not seen since the start."
    judged = "None of its windows may alert"
    if page["p_now"] is not None or page["p_worst"] is not None:
        worst = chance(page["p_worst"])
        judged = f"p now {chance(page['p_now'])}, least in five minutes {worst}"
    return (
        f"{page['why']} {judged}; {rate(page['calls_s'])} calls and "
        f"{rate(page['errors_s'])} errors a second."
    )


def learned_over(baseline: Json) -> str:
    """Say what a baseline rests on."""
    return (
        f"normal: {counted(baseline['windows'], 'window')}, "
        f"{baseline['first'][:16].replace('T', ' ')} to {baseline['last'][11:16]} UTC"
    )
