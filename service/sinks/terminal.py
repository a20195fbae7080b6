"""Alerts as text for whoever looks on."""

from __future__ import annotations

import shutil

from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.text import render
from oddcall.service.screen import Screen


class Terminal:
    """Say alerts on a screen, as wide as it is (80 columns where that is not known)."""

    name = "the terminal"

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def send(self, alert: Alert) -> None:
        """Say one alert."""
        width = min(max(shutil.get_terminal_size((80, 24)).columns, 60), 100)
        self._screen.say(render(alert, width=width, colour=self._screen.colour))

    def close(self) -> None:
        """Leave the screen to whoever opened it."""
