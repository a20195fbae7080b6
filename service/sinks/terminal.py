"""Alerts as text for whoever looks on."""

from __future__ import annotations

import shutil

from oddcall.models.window import Program
from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.notice import is_notice
from oddcall.service.alerts.text import program_of, render
from oddcall.service.screen import Screen

#: Programs remembered: whoever makes new ones must not fill memory.
_REMEMBERED = 1024


class Terminal:
    """Say alerts on a screen, as wide as it is (80 columns where that is not known)."""

    name = "the terminal"

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        #: Programs that were named so far: another one of their name is told from them.
        self._named: dict[Program, None] = {}

    def send(self, alert: Alert) -> None:
        """Say one alert."""
        width = min(max(shutil.get_terminal_size((80, 24)).columns, 60), 100)
        if not is_notice(alert):
            self._named[program_of(alert)] = None
            if len(self._named) > _REMEMBERED:
                del self._named[next(iter(self._named))]
        shown = render(alert, width=width, colour=self._screen.colour, beside=self._named)
        self._screen.say(shown)

    def close(self) -> None:
        """Leave the screen to whoever opened it."""
