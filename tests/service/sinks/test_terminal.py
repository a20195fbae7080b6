"""Alerts on a terminal: whoever was named before, nobody is taken for somebody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oddcall.service.sinks import terminal
from oddcall.service.sinks.terminal import Terminal


class Kept:
    """A screen that keeps the first line of what is said."""

    colour = False

    def __init__(self) -> None:
        self.names: list[str] = []

    def say(self, text: str) -> None:
        self.names.append(text.splitlines()[0].split("  ")[-1])


def test_programs_of_one_name_are_told_apart(alert_of: Callable[..., dict[str, Any]]) -> None:
    """The second program of a name is told from the first, and the first from then on from it."""
    kept = Kept()
    shown = Terminal(kept)
    one, other, third = (
        alert_of(i, exe=f"/{root}/bin/python3.11", unit=unit)
        for i, (root, unit) in enumerate([("a", None), ("b", None), ("b", "web.service")])
    )
    for alert in (one, other, third, one):
        shown.send(alert)
    assert kept.names == [
        "python3.11",
        "/b/…/python3.11",
        "python3.11 (web.service)",
        "/a/…/python3.11",
    ]


def test_it_remembers_a_bounded_number(
    alert_of: Callable[..., dict[str, Any]], monkeypatch: Any
) -> None:
    """Whoever makes ever new programs does not fill memory."""
    monkeypatch.setattr(terminal, "_REMEMBERED", 5)
    shown = Terminal(Kept())
    for i in range(20):
        shown.send(alert_of(i, exe=f"/tmp/{i}/x"))
    assert len(shown._named) == 5
