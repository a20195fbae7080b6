"""Alerting windows become episodes: one behaviour is one alert for a person.

::

    first alerting window ──> open ──> update ... update ──> close
                     ^                 │ graver, or joined by more: at once, and said in it
                     │                 │ the same: every update_s
                     │                 └ in between: folded, and counted
                     └── update: the same came back ───────────────────── close

An episode is one kind of behaviour of one program (in one container). Windows of its other
processes join it, and so do those of what they fork or become; of each program that joins, a line
tells. One behaviour has many faces: in
its first ``apart_s``, and for as long after its last window, an episode takes whatever else
they do. But what is new by then, and other news than that of the episode, is another behaviour,
and so is all that comes after a longer pause: it opens an episode of its own beside the first.
It closes after ``quiet_s`` without an alerting window. What comes back within ``cooldown_s`` is
the same alert once more: its episode opens again with an update, and stays open twice as long
as the last time, so that what keeps coming back is not told over and over. Time is the windows'
own, so a recording gives the episodes that its host gave.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from oddcall.models.abroad import Abroad
from oddcall.models.explanation.explanation import Explanation
from oddcall.models.verdict import Verdicts
from oddcall.models.window import Program, WindowBatch
from oddcall.service.alerts.alert import Alert, Sighting, Standing, alert_id, build
from oddcall.service.alerts.context import Describe, unknown
from oddcall.service.alerts.past import Kinds, Past, Pasts, Place, recalled
from oddcall.service.alerts.severity import LEVELS, severity
from oddcall.service.alerts.throttle import Throttle, Told

if TYPE_CHECKING:
    from oddcall.models.learned import Learned
    from oddcall.models.model import Model

#: Processes, programs and features an episode remembers: a fork bomb must not grow it.
_REMEMBERED = 1024
#: Everybody's parents: init and the kernel's own. Their children are no family.
_FIRST_PIDS = 2


@dataclass(frozen=True, slots=True)
class EpisodeSettings:
    """When a line is written.

    Attributes
    ----------
    quiet_s : float, default 15.0
        Seconds without an alerting window that close an episode.
    apart_s : float, default 3.0
        Seconds from its begin, and after its last window, in which an episode takes other kinds
        of behaviour as well.
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


#: Detectors that look for what was never met, in a window and summed over several.
_NEWS = ("novelty", "sequence")
#: A program in one container.
_Key = tuple[Program, str]


@dataclass(frozen=True, slots=True)
class _More:
    """What windows bring to an episode that it had not: another kind, another program, a grade."""

    news: tuple[str, ...] = ()
    severity_before: str | None = None


_NOTHING = _More()


@dataclass(slots=True)
class _Episode:
    id: str
    key: _Key
    onset_ns: int
    began_ns: int
    latest: Sighting
    worst: Sighting
    written_ns: int
    kinds: Kinds
    returns: int = 0
    windows: int = 0
    suppressed: int = 0
    #: The gravest it was; -1 before its first window.
    grade: int = -1
    #: Executables of programs that joined.
    programs: set[str] = field(default_factory=set)
    #: Processes that alerted, and when each did last, UTC.
    pids: dict[int, int] = field(default_factory=dict)

    @property
    def ended_ns(self) -> int:
        return self.latest.end_ns

    def past(self) -> Past:
        program, container = self.key
        place = _place(program, container)
        programs = frozenset(self.programs)
        return Past(self.id, place, self.kinds, self.returns, self.ended_ns, self.grade, programs)

    def standing(self, state: str, more: _More) -> Standing:
        return Standing(
            state=state,
            episode_id=self.id,
            time_ns=self.latest.end_ns,
            onset_ns=self.onset_ns,
            windows=self.windows,
            worst=self.worst,
            suppressed=self.suppressed,
            returns=self.returns,
            news=more.news,
            severity_before=more.severity_before,
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
    learned : sequence of Learned, default nothing
        What the model's programs had learned before the first batch.
    abroad : Abroad
        Whom of this host the model knows.
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
        self.learned: Sequence[Learned] = ()
        self.saw: Callable[[str, WindowBatch], None] = _not_kept
        self._host, self._describe = dict(host), describe
        self.abroad = Abroad(self._host.get("id", ""), model)
        self._settings = settings or EpisodeSettings()
        self._open: dict[str, _Episode] = {}
        self._past = Pasts(self._settings.max_open)
        self._throttle = Throttle(self._settings.most_per_hour, self._host)
        self._judge = model
        self._now_ns = 0

    def __len__(self) -> int:
        return len(self._open)

    def configure(self, settings: EpisodeSettings) -> None:
        """Have other settings from now on."""
        self._settings = settings
        self._throttle.cap(settings.most_per_hour)

    def recall(self, lines: Iterable[Alert]) -> None:
        """Know again what was told before this start: lines of alerts, oldest first."""
        for past in recalled(lines):
            self._past.keep(past)

    def step(self, batch: WindowBatch, verdicts: Verdicts, judge: Model | None = None) -> Told:
        """Take one tick's windows; returns the lines it gives, in order.

        ``judge`` is the model with what it has learned since it was trained, where it has.
        """
        self._judge = judge or self.model
        if not len(batch):
            return Told()
        self._now_ns = int(batch.t_end_ns.max())
        self._past.forget(self._now_ns, self._settings.cooldown_s)
        lines = self._close_quiet(self._now_ns)
        families: dict[_Key, set[_Key]] = {}
        # One turn an alerting program, not a process: few even in a storm.
        for (head, own), rows in self._groups(batch, np.flatnonzero(verdicts.alert)).items():
            family = families.setdefault(head, {head})
            family.add(own)
            worst = min(rows, key=lambda row: (verdicts.p_value[row], row))
            seen = self._sighting(batch, worst, verdicts)
            onset_ns = int(verdicts.onset_ns[rows].min())
            lines += self._see(family, seen, batch.take(np.array(rows)), onset_ns)
        return self._throttle.sort(lines, self._now_ns)

    def end(self) -> Told:
        """Close every episode: nothing more will be seen."""
        lines = [self._close(episode) for episode in _by_end(self._open.values())]
        return self._throttle.end(lines, self._now_ns)

    def _sighting(self, batch: WindowBatch, row: int, verdicts: Verdicts) -> Sighting:
        profile = int(verdicts.profile[row])
        baseline = self.model.profiles[profile] if profile >= 0 else None
        explanation = self._explain(self._judge, batch, row, verdicts)
        return Sighting.of(batch, row, verdicts, baseline, explanation)

    def _groups(
        self, batch: WindowBatch, rows: NDArray[np.int64]
    ) -> dict[tuple[_Key, _Key], list[int]]:
        """Give the rows of each program that alerts, by the head of its family and itself.

        Each program of a family is told of: what a child does must not go unsaid because its
        parent did something odder in the same tick.
        """
        # Most ticks hold no alert: whose family anybody is need not be asked then.
        if not len(rows):
            return {}
        member = self._members()
        heads = {episode.key for episode in self._open.values()}
        groups: dict[tuple[_Key, _Key], list[int]] = {}
        # Parents began before their children: whoever is met first opens for the family.
        for row in rows[np.argsort(batch.start_time_ns[rows], kind="stable")].tolist():
            pid, ppid = int(batch.pid[row]), int(batch.ppid[row])
            own = _key(batch, row)
            head = own if own in heads else member.get(pid, member.get(ppid, own))
            heads.add(head)
            if pid > _FIRST_PIDS:
                member.setdefault(pid, head)
            groups.setdefault((head, own), []).append(row)
        return groups

    def _members(self) -> dict[int, _Key]:
        """Whose family each process is of; a busy host gives pids away again within minutes."""
        quiet_ns = self._settings.quiet_s * 1e9
        return {
            pid: episode.key
            for episode in self._open.values()
            for pid, seen_ns in episode.pids.items()
            if abs(self._now_ns - seen_ns) <= quiet_ns
        }

    def _see(
        self, family: Collection[_Key], seen: Sighting, rows: WindowBatch, onset_ns: int
    ) -> list[Alert]:
        lines, begun = [], ""
        shown = Kinds.of(seen)
        episode = self._joined(family, seen, shown)
        if episode is None:
            lines = self._make_room()
            # What a child does on its own is its own: its family's episodes are of other things.
            own = (seen.program, seen.container)
            episode, begun = self._begin(own, seen, shown, onset_ns)
            self._open[episode.id] = episode
        more = self._add(episode, seen, shown, rows)
        self.saw(episode.id, rows)
        due = seen.end_ns - episode.written_ns >= self._settings.update_s * 1e9
        if begun or more != _NOTHING or due:
            return [*lines, self._write(episode, begun or "update", more)]
        episode.suppressed += len(rows)
        return lines

    def _joined(self, family: Collection[_Key], seen: Sighting, shown: Kinds) -> _Episode | None:
        """Give the open episode that a window belongs to, if there is one."""
        own = [episode for episode in self._open.values() if episode.key in family]
        best = max(reversed(own), key=lambda e: e.kinds.likeness(shown), default=None)
        if best is None or best.kinds.include(shown):
            return best
        apart_ns = self._settings.apart_s * 1e9
        news = _is_news(seen)
        near = [
            episode
            for episode in own
            if seen.start_ns - (episode.began_ns if news else episode.ended_ns) < apart_ns
        ]
        return near[-1] if near else None

    def _begin(
        self, key: _Key, seen: Sighting, shown: Kinds, onset_ns: int
    ) -> tuple[_Episode, str]:
        """Open an episode, or one again that showed most of this; returns its first state, too."""
        past = self._past.taken(_place(*key), shown)
        id_ = past.id if past else alert_id(self._host, self.model.id, seen, "open")
        episode = _Episode(id_, key, onset_ns, seen.start_ns, seen, seen, seen.end_ns, shown)
        if past is None:
            episode.programs = {seen.program.exe}
            return episode, "open"
        episode.kinds, episode.returns = past.kinds, past.returns + 1
        episode.grade, episode.programs = past.grade, set(past.programs)
        return episode, "update"

    def _add(self, episode: _Episode, seen: Sighting, shown: Kinds, rows: WindowBatch) -> _More:
        """Add windows to an episode; returns what they bring to it."""
        episode.latest = seen
        episode.windows += len(rows)
        if seen.p_value < episode.worst.p_value:
            episode.worst = seen
        for pid in rows.pid[rows.pid > _FIRST_PIDS].tolist():
            if pid in episode.pids or len(episode.pids) < _REMEMBERED:
                episode.pids[pid] = seen.end_ns
        exe = seen.program.exe
        news = episode.kinds.news(shown) | ({exe} - episode.programs)
        grade, before = self._grade(episode.worst, episode.windows), episode.grade
        episode.grade = max(grade, before)
        if len(episode.kinds) < _REMEMBERED:
            episode.kinds |= shown
        if len(episode.programs) < _REMEMBERED:
            episode.programs.add(exe)
        return _More(tuple(sorted(news)), LEVELS[before] if grade > before >= 0 else None)

    def _grade(self, worst: Sighting, windows: int) -> int:
        budget = self.model.budget_per_day
        grade, _ = severity(worst.p_value, worst.threshold, budget, windows, worst.lesson)
        return LEVELS.index(grade)

    def _close_quiet(self, now_ns: int) -> list[Alert]:
        # The absolute gap: a clock set back must not keep an episode open for hours.
        due = [e for e in self._open.values() if abs(now_ns - e.latest.end_ns) >= self._quiet(e)]
        return [self._close(episode) for episode in _by_end(due)]

    def _quiet(self, episode: _Episode) -> float:
        """Nanoseconds without an alerting window that close an episode."""
        doubled = self._settings.quiet_s * 2.0 ** min(episode.returns, 30)
        return 1e9 * min(doubled, max(self._settings.cooldown_s, self._settings.quiet_s))

    def _make_room(self) -> list[Alert]:
        if len(self._open) < self._settings.max_open:
            return []
        oldest = min(self._open.values(), key=lambda episode: episode.latest.end_ns)
        return [self._close(oldest)]

    def _close(self, episode: _Episode) -> Alert:
        del self._open[episode.id]
        self._past.keep(episode.past())
        return self._write(episode, "close")

    def _write(self, episode: _Episode, state: str, more: _More = _NOTHING) -> Alert:
        seen = episode.worst if state == "close" else episode.latest
        context = self._describe(seen.pid, seen.start_time_ns, seen.ppid, seen.container)
        line = build(seen, episode.standing(state, more), self._host, self.model, context)
        episode.suppressed, episode.written_ns = 0, episode.latest.end_ns
        return line


def _by_end(episodes: Iterable[_Episode]) -> list[_Episode]:
    """Order episodes as they ended: whoever reads that they did reads on in time."""
    return sorted(episodes, key=lambda episode: episode.ended_ns)


def _key(batch: WindowBatch, row: int) -> _Key:
    return batch.programs[batch.program[row]], str(batch.container[row])


def _place(program: Program, container: str) -> Place:
    return program.exe, program.unit, container


def _is_news(seen: Sighting) -> bool:
    """Whether calls never met before speak loudest, not known ones in other proportions."""
    news = [p for name, p in seen.detectors.items() if name in _NEWS]
    known = [p for name, p in seen.detectors.items() if name not in _NEWS]
    return min(news, default=1.0) < min(known, default=1.0)
