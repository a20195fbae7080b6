"""Which alerts a sink wants."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from oddcall.service.alerts.alert import Alert, tells_more
from oddcall.service.alerts.notice import is_notice
from oddcall.service.alerts.severity import LEVELS

STATES = ("open", "update", "close")


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter; notices pass every one.

    Attributes
    ----------
    min_severity : str, default "low"
        The slightest that passes.
    states : tuple of str, default all
        Lines of an episode that pass. Where "open" does, updates do that tell more than the
        lines before them: whoever wants to hear of alerts wants to hear of those.
    programs : tuple of str, default all
        Globs, any of which matches the program's path, or its last part where the glob has
        no slash.
    """

    min_severity: str = LEVELS[0]
    states: tuple[str, ...] = STATES
    programs: tuple[str, ...] = ("*",)

    def __call__(self, alert: Alert) -> bool:
        """Whether an alert passes."""
        if is_notice(alert):
            return True
        grave = LEVELS.index(alert["severity"]) >= LEVELS.index(self.min_severity)
        wanted = alert["state"] in self.states or ("open" in self.states and tells_more(alert))
        return grave and wanted and self._of_program(alert["program"])

    def _of_program(self, program: Alert) -> bool:
        path = program["exe"] or program["comm"]
        name = path.rsplit("/", 1)[-1]
        return any(fnmatchcase(path if "/" in glob else name, glob) for glob in self.programs)
