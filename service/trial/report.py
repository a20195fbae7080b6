"""What a trial found: false alerts, recall at the budget, time to detection, per behaviour."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from oddcall.models.bundle import load_bundle
from oddcall.models.durations import format_duration
from oddcall.service.alerts.past import repeats
from oddcall.service.config.settings import AlertSection
from oddcall.service.quantities import Budget, counted, number
from oddcall.service.trial.adversary import Hidden
from oddcall.service.trial.ancestry import Ancestry
from oddcall.service.trial.trial import Course, Plan
from oddcall.service.trial.verdict import Caught, belongs, moment
from oddcall.service.trial.watching import Arrival, environment, oddcall
from oddcall.training.recording_figures import Rate, per_day

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class FalseAlert:
    """An alert that no behaviour explains.

    Attributes
    ----------
    whose : str
        ``"work"``: of a process that the trial's work started; ``"oddcall"``: of the trial or
        the watch itself; ``"others"``: of what else runs on this host.
    phase : str
        ``"watching"`` ordinary work only, or ``"misbehaving"``.
    repeats : bool
        Whether it would by default have been an update of an earlier alert.
    """

    whose: str
    phase: str
    time: str
    program: str
    pid: int
    sentence: str
    repeats: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is printed.

    Attributes
    ----------
    replayed : bool or None
        Whether a replay of what was kept gave the same bytes; None where it was not tried.
    replay_failure : str
        Why the replay did not end well; empty where it did.
    opened, repeats : int
        Alerts, and those that by the default ``alerts.cooldown`` were updates of earlier ones.
    unsettled : tuple of str
        Programs that misbehaved and had no settled baseline: nothing of them can alert.
    """

    plan: Plan
    course: Course
    hidden: list[Hidden]
    false_alerts: list[FalseAlert]
    replayed: bool | None
    unsettled: tuple[str, ...] = ()
    replay_failure: str = ""
    opened: int = 0
    repeats: int = 0

    @classmethod
    def of(cls, plan: Plan, course: Course, hidden: list[Hidden]) -> Report:
        """Draw up the report of a trial that has ended."""
        replayed, failure = _replayed(course)
        lines = [arrival.alert for arrival in course.watching.arrivals]
        again = repeats(lines, AlertSection().cooldown)
        return cls(
            plan,
            course,
            hidden,
            _false_alerts(course, again),
            replayed,
            _unsettled(course),
            failure,
            opened=sum(line["state"] == "open" for line in lines),
            repeats=len(again),
        )

    @property
    def visible(self) -> list[Caught]:
        """Behaviours that counts can tell, and that were done to their end."""
        return [found for found in self.course.found if not found.invisible and not found.failure]

    @property
    def recall(self) -> float | None:
        """Share of the visible behaviours that were caught in time."""
        seen = self.visible
        return sum(found.caught for found in seen) / len(seen) if seen else None

    @property
    def times_s(self) -> list[float]:
        """Seconds to detection of every behaviour that was detected."""
        return [found.seconds for found in self.visible if found.seconds is not None]

    def false_of(self, whose: str, phase: str | None = None) -> int:
        """Count false alerts of one kind of process, in one phase or in both."""
        return sum(a.whose == whose and phase in (None, a.phase) for a in self.false_alerts)

    @property
    def false_rate(self) -> Rate:
        """Count false alerts of the work a host-day, over both phases."""
        return per_day(self.false_of("work"), self.judged_days)

    @property
    def watched_days(self) -> float:
        """How long ordinary work alone was watched, in days."""
        begun, ended = self.course.watched
        return (ended - begun) / _DAY_S

    @property
    def misbehaved_days(self) -> float:
        """How long it was watched further, while things were done, in days."""
        begun, ended = self.course.misbehaved
        return (ended - begun) / _DAY_S

    @property
    def judged_days(self) -> float:
        """How long the work was watched in all, in days: any alert on it in this time is false."""
        return self.watched_days + self.misbehaved_days

    def as_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON."""
        times = self.times_s
        rate = self.false_rate
        high = rate.between.high
        return {
            "learned_s": self.plan.learn_s,
            "watched_s": round(self.watched_days * _DAY_S, 1),
            "misbehaved_s": round(self.misbehaved_days * _DAY_S, 1),
            "budget": self.plan.budget,
            "workloads": {p.workload.name: p.rounds for p in self.course.work},
            "failed": {p.workload.name: p.failure for p in self.course.work if p.failure},
            "absent": {w.name: w.lacking for w in self.plan.workloads if w.lacking},
            "false_alerts": {
                "work": rate.count,
                "others": self.false_of("others"),
                "oddcall": self.false_of("oddcall"),
                "work_while_watching": self.false_of("work", "watching"),
                "work_while_misbehaving": self.false_of("work", "misbehaving"),
                "per_host_day": round(rate.value, 2),
                "per_host_day_interval": [
                    round(rate.between.low, 2),
                    round(high, 2) if high != float("inf") else None,
                ],
                "over_budget": self.over_budget,
                "too_short_to_tell": self.too_short_to_tell,
                "alerts": [alert.as_dict() for alert in self.false_alerts],
            },
            "alerts": {"opened": self.opened, "repeats": self.repeats},
            "slowed": self.course.slowed,
            "unsettled": list(self.unsettled),
            "recall": self.recall,
            "seconds_to_detection": {
                "median": statistics.median(times) if times else None,
                "max": max(times, default=None),
            },
            "causes_named": sum(found.names_cause for found in self.visible),
            "replay_is_the_same": self.replayed,
            "replay_failure": self.replay_failure,
            "adversary": [tried.as_dict() for tried in self.hidden],
            "behaviours": [found.as_dict() for found in self.course.found],
        }

    @property
    def over_budget(self) -> bool:
        """Whether ordinary work alerted more often, in both phases, than is allowed in a day."""
        allowed = Budget.parse(self.plan.budget).per_day * max(self.judged_days, 1.0)
        return self.false_of("work") > max(allowed, 1.0)

    @property
    def too_short_to_tell(self) -> bool:
        """Whether so many alerts in this time leave open that the budget is not kept."""
        high = self.false_rate.between.high
        return not self.over_budget and high > Budget.parse(self.plan.budget).per_day

    def lines(self) -> Iterator[str]:
        """Everything as text within 80 columns."""
        yield from self._ordinary()
        yield from self._behaviours()
        yield from self._sums()
        yield from self._adversary()

    def _ordinary(self) -> Iterator[str]:
        work = ", ".join(p.workload.name for p in self.course.work)
        yield from wrap(f"Ordinary work: {work}.", 80)
        for workload in self.plan.workloads:
            if workload.lacking:
                yield f"Left out: {workload.name}, for lack of {', '.join(workload.lacking)}."
        for progress in self.course.work:
            if progress.failure:
                yield from wrap(f"Stopped: {progress.workload.name}, {progress.failure}", 80)
        learned = format_duration(round(self.plan.learn_s))
        verdict = f"over the budget of {self.plan.budget}"
        if not self.over_budget:
            verdict = f"within the budget of {self.plan.budget}"
            if self.too_short_to_tell:
                verdict = f"too short to tell whether a budget of {self.plan.budget} is kept"
        parts = ""
        if self.misbehaved_days:
            watched, misbehaved = _spans(self.watched_days, self.misbehaved_days)
            parts = (
                f" ({self.false_of('work', 'watching')} in {watched} of it alone, "
                f"{self.false_of('work', 'misbehaving')} in {misbehaved} while things were done)"
            )
        yield from wrap(
            f"Learned for {learned}, then watched for {_spans(self.judged_days)[0]}: "
            f"{counted(self.false_of('work'), 'false alert')} on this work{parts}, {verdict}; "
            f"{self.false_of('others')} on other programs of this host.",
            80,
        )
        if self.repeats:
            false = sum(alert.repeats for alert in self.false_alerts)
            yield from wrap(
                f"By the default alerts.cooldown, which a trial sets to nothing, {self.repeats:,} "
                f"of {counted(self.opened, 'alert')} would have been updates of earlier ones, "
                f"{false:,} of the false ones: evaluate recordings counts them apart.",
                80,
            )
        if self.course.slowed:
            yield from wrap(
                f"Busy: {self.course.slowed[-1]}; it changed "
                f"{counted(len(self.course.slowed), 'time')}. "
                "Detection takes so long, at least.",
                80,
            )
        for alert in self.false_alerts:
            yield from wrap(
                f"{alert.time[11:19]} ({alert.whose}, {alert.phase}) {alert.sentence}",
                80,
                initial_indent="  ",
                subsequent_indent="    ",
            )

    def _behaviours(self) -> Iterator[str]:
        if not self.course.found:
            return
        if self.unsettled:
            yield ""
            yield from wrap(
                f"{', '.join(self.unsettled)} had not settled after so short a lesson, and so "
                "cannot alert: what follows says nothing. Give a longer --learn.",
                80,
            )
        width = max(len(found.name) for found in self.course.found)
        yield ""
        yield f"{'behaviour':<{width}}  {'technique':<9}  caught    after  cause named"
        for found in self.course.found:
            after = "" if found.seconds is None else f"{found.seconds:.1f} s"
            named = "yes" if found.names_cause else "no" if found.sentence else ""
            said = "yes" if found.caught else "invisible" if found.invisible else "NO"
            said = "FAILED" if found.failure else said
            yield f"{found.name:<{width}}  {found.technique:<9}  {said:<9}{after:>6}  {named}"
            for text in (found.failure, found.sentence):
                yield from wrap(text, 80, initial_indent="    ", subsequent_indent="    ")

    def _sums(self) -> Iterator[str]:
        seen, times = self.visible, self.times_s
        failed = sum(bool(found.failure) for found in self.course.found)
        if seen or failed:
            yield ""
        if failed:
            yield f"{counted(failed, 'behaviour')} did not end well: neither caught nor missed"
        if seen:
            hidden = len(self.course.found) - len(seen) - failed
            yield (
                f"caught {sum(found.caught for found in seen)} of {len(seen)} within ten seconds"
                + (f"; {hidden} more invisible to counts" if hidden else "")
            )
            yield f"the cause named in {sum(f.names_cause for f in seen)} of {len(seen)}"
        if times:
            middle, longest = statistics.median(times), max(times)
            yield f"time to detection: median {middle:.1f} s, longest {longest:.1f} s"
        if self.judged_days:
            rate = self.false_rate
            yield from wrap(
                f"false alerts per host and day: {number(rate.value)} "
                f"({rate.count} in {_spans(self.judged_days)[0]}); "
                f"{number(rate.between.low)} to {number(rate.between.high)} would be no surprise",
                80,
            )
        if self.replay_failure:
            yield from wrap(f"replay of what was judged FAILED: {self.replay_failure}", 80)
        elif self.replayed is not None:
            same = "the same bytes" if self.replayed else "OTHER ALERTS"
            yield f"replay of what was judged gives {same}"

    def _adversary(self) -> Iterator[str]:
        if not self.hidden:
            return
        yield ""
        yield "way       attack         ordinary calls  a step every    for  noticed after"
        for tried in self.hidden:
            seconds = tried.found.seconds
            after = "not noticed" if seconds is None else f"{seconds:.1f} s"
            after = "FAILED" if tried.found.failure else after
            yield (
                f"{tried.way:<9} {tried.found.name:<14} {tried.ordinary:>14,}"
                f"  {_pause(tried.pause_s):>12}  {tried.lasted_s:>3.0f} s  {after}"
            )


def _spans(*days: float) -> list[str]:
    """Write lengths of time in whole seconds."""
    return [format_duration(round(length * _DAY_S)) for length in days]


def _pause(seconds: float) -> str:
    """Write a pause with three figures, in a unit that shows it."""
    unit, size = ("s", 1.0) if seconds >= 1 or not seconds else ("ms", 1e-3)
    return f"{float(f'{seconds / size:.3g}'):g} {unit}" if seconds else "none"


def _false_alerts(course: Course, again: Collection[str]) -> list[FalseAlert]:
    watch = course.watching
    unexplained = [
        arrival
        for arrival in watch.arrivals
        if arrival.alert["state"] == "open"
        and not any(belongs(arrival.alert, outcome) for outcome in course.outcomes)
    ]
    if not unexplained:
        return []
    family = Ancestry.of(watch.folder / "learning", watch.kept)
    return [_false_alert(arrival, family, course, again) for arrival in unexplained]


def _false_alert(
    arrival: Arrival, family: Ancestry, course: Course, again: Collection[str]
) -> FalseAlert:
    alert = arrival.alert
    pid, began, parent = (alert["process"][name] for name in ("pid", "start_time", "ppid"))
    ours, watch = os.getpid(), course.watching.process.pid
    whose = "others"
    if pid == ours or family.descends(pid, began, parent, {watch}):
        whose = "oddcall"
    elif family.descends(pid, began, parent, {ours}):
        whose = "work"
    watched = moment(alert["time"]) <= course.watched[1]
    return FalseAlert(
        whose=whose,
        phase="watching" if watched else "misbehaving",
        time=alert["time"],
        program=alert["program"]["exe"],
        pid=pid,
        sentence=alert["explanation"]["sentence"],
        repeats=alert["episode_id"] in again,
    )


def _replayed(course: Course) -> tuple[bool | None, str]:
    """Judge what was kept again, and compare byte by byte; with why that failed."""
    watch = course.watching
    if not watch.model.exists() or not any(watch.kept.glob("part-*")):
        return None, ""
    again = watch.folder / "again.jsonl"
    words = [*oddcall("replay"), str(watch.kept), "--model", str(watch.model), "--json"]
    # What was said of alerts elsewhere on this host is nothing to a trial.
    words += ["--alerts", str(again), "--state-dir", str(watch.folder)]
    done = subprocess.run(  # noqa: S603  our own command line
        words, check=False, capture_output=True, text=True, env=environment()
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        return False, last[0].removeprefix("oddcall: ")
    return _bytes(again) == _bytes(watch.alerts), ""


def _unsettled(course: Course) -> tuple[str, ...]:
    if not course.watching.model.exists():
        return ()
    known = load_bundle(course.watching.model).programs
    settled = {state.program.exe for state in known if state.can_alert}
    misbehaved = {outcome.program for outcome in course.outcomes if outcome.program}
    return tuple(sorted(misbehaved - settled))


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
