"""Alerting windows become episodes: one behaviour is one alert for a person.

::

    first alerting window ──> open ──> update ... update ──> close
                                       │ graver, or of another kind: at once
                                       │ the same: every update_s
                     ^                 └ in between: folded, and counted
                     └── update: the same came back ───────────────────── close

An episode belongs to a program (in one container). Windows of its other
processes join it, and so do those of what they fork or become. It closes
after ``quiet_s`` without an alerting window, and already after ``apart_s`` when
what comes then is of another kind: that is another behaviour. What comes back
within ``cooldown_s`` is the same alert once more: its episode opens again with an
update, and stays open twice as long as the last time, so that what keeps coming
back is not told over and over. Time is the windows' own, so a recording gives the
episodes that its host gave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from oddcall.models.explanation.explanation import Explanation
from oddcall.models.verdict import Verdicts
from oddcall.models.window import Program, WindowBatch
from oddcall.service.alerts.alert import Alert, Sighting, Standing, alert_id, build
from oddcall.service.alerts.context import Describe, unknown
from oddcall.service.alerts.severity import LEVELS, severity
from oddcall.service.alerts.throttle import Throttle, Told

if TYPE_CHECKING:
    from oddcall.models.model import Model

#: Processes, programs and features an episode remembers: a fork bomb must not grow it.
_REMEMBERED = 1024
#: Everybody's parents: init and the kernel's own. Their children are no family.
_FIRST_PIDS = 2
#: The strongest features of a window say what kind of behaviour it is.
_KIND_FEATURES = 3
#: More than this part of what a window shows makes it the same behaviour, come back.
_MOST = 0.5


@dataclass(frozen=True, slots=True)
class EpisodeSettings:
    """When a line is written.

    Attributes
    ----------
    quiet_s : float, default 15.0
        Seconds without an alerting window that close an episode.
    apart_s : float, default 3.0
        Seconds without an alerting window after which another kind is another episode.
    update_s : float, default 60.0
        Seconds between two updates of an episode that does not change.
    cooldown_s : float, default 86400.0
        Seconds after an episode in which the same behaviour opens it again, and no other.
    most_per_hour : int, default 30
        Episodes that are sent within an hour.
    max_open : int, default 1024
        Episodes open at once; past it the longest quiet one closes. As many that closed are
        remembered.
    """

    quiet_s: float = 15.0
    apart_s: float = 3.0
    update_s: float = 60.0
    cooldown_s: float = 86_400.0
    most_per_hour: int = 30
    max_open: int = 1024


@dataclass(slots=True)
class _Episode:
    id: str
    onset_ns: int
    latest: Sighting
    worst: Sighting
    written_ns: int
    windows: int = 0
    suppressed: int = 0
    returns: int = 0
    grade: int = 0
    kinds: set[str] = field(default_factory=set)
    programs: set[Program] = field(default_factory=set)
    pids: dict[int, None] = field(default_factory=dict)

    def other_than(self, seen: Sighting) -> bool:
        """Whether a window shows nothing of what the episode showed."""
        return not _kinds(seen) & self.kinds

    def likeness(self, seen: Sighting) -> float:
        """Part of what a window shows that the episode showed too."""
        shown = _kinds(seen)
        return len(shown & self.kinds) / max(len(shown), 1)

    def back(self, seen: Sighting, onset_ns: int) -> None:
        """Begin again, graded by what comes now."""
        self.onset_ns, self.latest, self.worst = onset_ns, seen, seen
        self.windows = self.grade = 0
        self.returns += 1
        self.pids.clear()

    def standing(self, state: str) -> Standing:
        return Standing(
            state=state,
            episode_id=self.id,
            time_ns=self.latest.end_ns,
            onset_ns=self.onset_ns,
            windows=self.windows,
            worst=self.worst,
            suppressed=self.suppressed,
            returns=self.returns,
        )


def _not_kept(_episode_id: str, _windows: WindowBatch) -> None:
    """Keep nothing of an episode."""


class Episodes:
    """Turns verdicts into lines of alerts, tick by tick.

    Parameters
    ----------
    model : Model
        Whose verdicts these are; another may take its place between two batches.
    explain : callable
        ``explain(model, batch, row, verdicts)`` says what is odd about one window.
    host : dict of str
        ``name``, ``id``, ``boot_id``, ``kernel``, ``arch``.
    describe : Describe, default knows nothing
        What is known of a process beyond its window.

    Attributes
    ----------
    saw : callable, default does nothing
        Given the id of an episode and the alerting windows that joined it.
    """

    def __init__(
        self,
        model: Model,
        explain: Callable[[Model, WindowBatch, int, Verdicts], Explanation],
        host: Mapping[str, str],
        settings: EpisodeSettings | None = None,
        describe: Describe = unknown,
    ) -> None:
        self.model, self._explain = model, explain
        self.saw: Callable[[str, WindowBatch], None] = _not_kept
        self._host, self._describe = dict(host), describe
        self._settings = settings or EpisodeSettings()
        self._open: dict[tuple[Program, str], _Episode] = {}
        #: Closed ones of each program, by their ids; who closed last comes last.
        self._closed: dict[str, tuple[tuple[Program, str], _Episode]] = {}
        self._throttle = Throttle(self._settings.most_per_hour, self._host)
        self._now_ns = 0

    def __len__(self) -> int:
        return len(self._open)

    def configure(self, settings: EpisodeSettings) -> None:
        """Have other settings from now on."""
        self._settings = settings
        self._throttle.cap(settings.most_per_hour)

    def step(self, batch: WindowBatch, verdicts: Verdicts) -> Told:
        """Take one tick's windows; returns the lines it gives, in order."""
        if not len(batch):
            return Told()
        self._now_ns = int(batch.t_end_ns.max())
        self._forget(self._now_ns)
        lines = self._close_quiet(self._now_ns)
        # One turn an alerting program, not a process: few even in a storm.
        for key, rows in self._groups(batch, np.flatnonzero(verdicts.alert)).items():
            worst = min(rows, key=lambda row: (verdicts.p_value[row], row))
            seen = self._sighting(batch, worst, verdicts)
            onset_ns = int(verdicts.onset_ns[rows].min())
            lines += self._see(key, seen, batch.take(np.array(rows)), onset_ns)
        return self._throttle.sort(lines, self._now_ns)

    def end(self) -> Told:
        """Close every episode: nothing more will be seen."""
        lines = [self._close(key) for key in list(self._open)]
        return self._throttle.end(lines, self._now_ns)

    def _sighting(self, batch: WindowBatch, row: int, verdicts: Verdicts) -> Sighting:
        profile = int(verdicts.profile[row])
        baseline = self.model.profiles[profile] if profile >= 0 else None
        explanation = self._explain(self.model, batch, row, verdicts)
        return Sighting.of(batch, row, verdicts, baseline, explanation)

    def _groups(
        self, batch: WindowBatch, rows: NDArray[np.int64]
    ) -> dict[tuple[Program, str], list[int]]:
        """Give the rows of each episode that is, or will be, open."""
        member = {pid: key for key, episode in self._open.items() for pid in episode.pids}
        groups: dict[tuple[Program, str], list[int]] = {}
        # Parents began before their children: whoever is met first opens for the family.
        for row in rows[np.argsort(batch.start_time_ns[rows], kind="stable")].tolist():
            pid, ppid = int(batch.pid[row]), int(batch.ppid[row])
            own = (batch.programs[batch.program[row]], str(batch.container[row]))
            taken = own in self._open or own in groups
            key = own if taken else member.get(pid, member.get(ppid, own))
            if pid > _FIRST_PIDS:
                member.setdefault(pid, key)
            groups.setdefault(key, []).append(row)
        return groups

    def _see(
        self, key: tuple[Program, str], seen: Sighting, rows: WindowBatch, onset_ns: int
    ) -> list[Alert]:
        lines: list[Alert] = []
        episode = self._open.get(key)
        if episode and self._apart(episode, seen):
            lines.append(self._close(key))
            episode = None
        begun = ""
        if episode is None:
            lines += self._make_room()
            episode, begun = self._begin(key, seen, onset_ns)
            self._open[key] = episode
        changed = self._add(episode, seen, rows)
        self.saw(episode.id, rows)
        due = seen.end_ns - episode.written_ns >= self._settings.update_s * 1e9
        if begun or changed or due:
            return [*lines, self._write(episode, begun or "update")]
        episode.suppressed += len(rows)
        return lines

    def _begin(
        self, key: tuple[Program, str], seen: Sighting, onset_ns: int
    ) -> tuple[_Episode, str]:
        """Open an episode, or one again that showed most of this; returns its first state, too."""
        same = [episode for of, episode in self._closed.values() if of == key]
        # Of several that are as like it, the last.
        before = max(reversed(same), key=lambda episode: episode.likeness(seen), default=None)
        if before is None or before.likeness(seen) <= _MOST:
            id_ = alert_id(self._host, self.model.id, seen, "open")
            return _Episode(id_, onset_ns, seen, seen, seen.end_ns), "open"
        del self._closed[before.id]
        before.back(seen, onset_ns)
        return before, "update"

    def _apart(self, episode: _Episode, seen: Sighting) -> bool:
        quiet_ns = seen.start_ns - episode.latest.end_ns
        return quiet_ns >= self._settings.apart_s * 1e9 and episode.other_than(seen)

    def _add(self, episode: _Episode, seen: Sighting, rows: WindowBatch) -> bool:
        """Add windows to an episode; returns whether they make it graver or another kind."""
        episode.latest = seen
        episode.windows += len(rows)
        if seen.p_value < episode.worst.p_value:
            episode.worst = seen
        for pid in rows.pid[rows.pid > _FIRST_PIDS].tolist():
            if len(episode.pids) < _REMEMBERED:
                episode.pids[pid] = None
        other = episode.other_than(seen) or seen.program not in episode.programs
        grade = self._grade(episode.worst, episode.windows)
        graver = grade > episode.grade
        episode.grade = max(grade, episode.grade)
        if len(episode.kinds) < _REMEMBERED:
            episode.kinds |= _kinds(seen)
        if len(episode.programs) < _REMEMBERED:
            episode.programs.add(seen.program)
        return graver or other

    def _grade(self, worst: Sighting, windows: int) -> int:
        budget = self.model.budget_per_day
        grade, _ = severity(worst.p_value, worst.threshold, budget, windows, worst.lesson)
        return LEVELS.index(grade)

    def _close_quiet(self, now_ns: int) -> list[Alert]:
        # The absolute gap: a clock set back must not keep an episode open for hours.
        due = [k for k, e in self._open.items() if abs(now_ns - e.latest.end_ns) >= self._quiet(e)]
        return [self._close(key) for key in due]

    def _quiet(self, episode: _Episode) -> float:
        """Nanoseconds without an alerting window that close an episode."""
        doubled = self._settings.quiet_s * 2.0 ** min(episode.returns, 30)
        return 1e9 * min(doubled, max(self._settings.cooldown_s, self._settings.quiet_s))

    def _make_room(self) -> list[Alert]:
        if len(self._open) < self._settings.max_open:
            return []
        oldest = min(self._open, key=lambda key: self._open[key].latest.end_ns)
        return [self._close(oldest)]

    def _close(self, key: tuple[Program, str]) -> Alert:
        episode = self._open.pop(key)
        self._closed[episode.id] = (key, episode)
        if len(self._closed) > self._settings.max_open:
            del self._closed[next(iter(self._closed))]
        return self._write(episode, "close")

    def _forget(self, now_ns: int) -> None:
        """Forget episodes that closed long enough ago."""
        cooldown_ns = self._settings.cooldown_s * 1e9
        while self._closed:
            id_, (_, episode) = next(iter(self._closed.items()))
            if abs(now_ns - episode.latest.end_ns) < cooldown_ns:
                return
            del self._closed[id_]

    def _write(self, episode: _Episode, state: str) -> Alert:
        seen = episode.worst if state == "close" else episode.latest
        context = self._describe(seen.pid, seen.start_time_ns, seen.ppid, seen.container)
        line = build(seen, episode.standing(state), self._host, self.model, context)
        episode.suppressed, episode.written_ns = 0, episode.latest.end_ns
        return line


def _kinds(seen: Sighting) -> set[str]:
    """Name the kind of behaviour a window shows: its strongest features, what they hint at."""
    strongest = {feature.feature for feature in seen.explanation.top[:_KIND_FEATURES]}
    return strongest | {hint.technique for hint in seen.explanation.hints}
