"""Taking the configuration anew on SIGHUP, without losing a window.

The sensor counts on in the kernel meanwhile, so what takes a moment makes a tick late and
nothing else. A configuration that cannot be used changes nothing. Settings that hold for as long
as a watch runs are named, so that nobody believes they were taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oddcall.models.errors import OddcallError
from oddcall.service.config.loading import setting_names
from oddcall.service.config.settings import Settings

#: What a running watch can take; everything else needs a restart.
LIVE = frozenset(
    {
        "budget",
        "sinks",
        "alerts.quiet",
        "alerts.update",
        "alerts.cooldown",
        "alerts.most_per_hour",
        "learning.again",
    }
)


class Reload:
    """Asked for by a signal, taken between two ticks.

    Parameters
    ----------
    again : callable
        Reads the settings as at the start: the same file, environment and flags.
    """

    def __init__(self, again: Callable[[], Settings]) -> None:
        self._again = again
        self._asked = False

    def ask(self) -> None:
        """Ask for it; safe in a signal handler."""
        self._asked = True

    def taken(self, current: Settings, say: Callable[[str], None]) -> Settings | None:
        """Give the settings to go on with, if that was asked for and something changed."""
        if not self._asked:
            return None
        self._asked = False
        try:
            found = self._again()
        except OddcallError as error:
            say(f"the configuration was not taken: {error}")
            return None
        changed = [n for n in setting_names() if _value(found, n) != _value(current, n)]
        live = [name for name in changed if name in LIVE]
        if _writes_to_stdout(found) != _writes_to_stdout(current):
            live = [name for name in live if name != "sinks"]
        rest = [name for name in changed if name not in live]
        said = f"taken: {', '.join(live)}" if live else "nothing to take"
        said += f"; after a restart: {', '.join(rest)}" if rest else ""
        say(f"the configuration was read again, {said}")
        return _with(current, found, live) if live else None


def _value(settings: Settings, name: str) -> Any:  # noqa: ANN401  a setting of any kind
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _with(current: Settings, found: Settings, names: list[str]) -> Settings:
    """Take some settings of ``found``."""
    for name in names:
        section, _, last = name.rpartition(".")
        if section:
            inner = getattr(current, section).model_copy(update={last: _value(found, name)})
            current = current.model_copy(update={section: inner})
        else:
            current = current.model_copy(update={last: _value(found, name)})
    return current


def _writes_to_stdout(settings: Settings) -> bool:
    return any(section.type == "stdout" for section in settings.sinks)
