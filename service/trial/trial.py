"""A trial from start to end: work begins, oddcall learns it, watches it, and meets misbehaviour."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from oddcall.models.durations import format_duration
from oddcall.models.errors import OddcallError
from oddcall.sensor import process
from oddcall.sensor.privilege import require_privilege
from oddcall.service import simulate
from oddcall.service.screen import Screen, Status
from oddcall.service.simulate import Behaviour, Outcome, files, registry
from oddcall.service.simulate.behaviour import roomed
from oddcall.service.simulate.catalogue import named
from oddcall.service.simulate.places import made
from oddcall.service.trial.catalogue import WEB
from oddcall.service.trial.verdict import CAUGHT_WITHIN_S, Caught, belongs, caught
from oddcall.service.trial.watching import Arrival, Watching, watching
from oddcall.service.trial.workload import Progress, Work, Workload, wait_until

#: Training takes a minute on a busy host; a watch that says nothing for so long hangs.
_TRAINING_S = 600.0
#: Longest wait for the episodes of one behaviour to close before the next one runs.
_SETTLE_S = 25.0
_ACT_S = 2.0
#: Servers and their data are set up by then; how they start is not to be learned.
_STARTED_S = 120.0
#: After a long behaviour, what its last windows are waited for.
_LATE_S = 6.0
#: How often, and with how many files, asking for a behaviour is rehearsed while learning.
_REHEARSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a trial does.

    Attributes
    ----------
    folder : Path
        Where everything is kept.
    workloads : sequence of Workload
        All that is installed of these.
    behaviours : sequence of Behaviour
    learn_s, watch_s : float
        Seconds to learn, and to watch ordinary work before anything misbehaves.
    budget : str
        As typed.
    via : str or None
        ``"python"`` runs behaviours in new Python processes instead of the demo server.
    """

    folder: Path
    workloads: Sequence[Workload]
    behaviours: Sequence[Behaviour]
    learn_s: float
    watch_s: float
    budget: str
    via: str | None = None

    @property
    def present(self) -> list[Workload]:
        """Workloads whose programs are installed."""
        return [workload for workload in self.workloads if not workload.lacking]


@dataclass(slots=True)
class Course:
    """What happened: times in seconds since the epoch, and everything that was told.

    ``watched`` is the time of ordinary work alone; ``misbehaved`` all after it, with whatever else
    was tried, until the watch ended.

    ``beside`` asks for the behaviours, so that alerts are read as they come. What was done is in
    the file ``labels`` at once: a trial that is stopped has it beside its recordings.
    """

    watching: Watching
    work: list[Progress]
    beside: Executor
    labels: Path
    web_pid: int = 0
    watched: tuple[float, float] = (0.0, 0.0)
    misbehaved: tuple[float, float] = (0.0, 0.0)
    found: list[Caught] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count something that was done, and write it down."""
        self.outcomes.append(outcome)
        _write_down(self.labels, outcome)

    def hear_late(self) -> None:
        """Count alerts that came after they were waited for; they say how late they were."""
        self.found = [
            caught(named(outcome.name), outcome, self.watching.arrivals)
            for outcome in self.outcomes[: len(self.found)]
        ]

    @property
    def slowed(self) -> list[str]:
        """What the watch said of looking less often than it was set to."""
        return [line.strip() for line in self.watching.said if "it now looks every" in line]


def run(plan: Plan, screen: Screen, more: Callable[[Course], None]) -> Course:
    """Run a trial; whatever it started has ended when it returns or raises.

    Parameters
    ----------
    more : callable
        What else to try before the watch ends.

    Raises
    ------
    PrivilegeError
        When this process may not watch.
    OddcallError
        When the watch or the web server cannot be started, or ends.
    """
    require_privilege()
    work = Work(plan.folder / "work")
    try:
        learn = format_duration(plan.learn_s)
        screen.show(Status("starting the work"))
        work.begin(plan.present)
        wait_until(work.under_way_all, "the work", _STARTED_S)
        web_server(plan, work.under_way)
        with (
            # One thread from the start: a thread begun for a behaviour would be news itself.
            ThreadPoolExecutor(1) as beside,
            watching(plan.folder / "state", learn, plan.budget) as watch,
        ):
            course = Course(watch, work.under_way, beside, plan.folder / "labels.jsonl")
            _learn(plan, course, screen)
            _watch(plan, course, screen)
            _misbehave(plan, course, screen)
            more(course)
            # The last windows, before what was under trial is ended.
            watch.until(lambda: not watch.open_episodes(), _SETTLE_S, lambda: None)
            course.misbehaved = (course.watched[1], time.time())
        watch.drain()
        course.hear_late()
        return course
    finally:
        screen.show(Status("ending what was started"))
        work.end()


def _learn(plan: Plan, course: Course, screen: Screen) -> None:
    watch, begun = course.watching, time.monotonic()
    rehearsed = 0

    def told() -> None:
        nonlocal rehearsed
        elapsed_s = time.monotonic() - begun
        if elapsed_s >= rehearsed * _REHEARSE_S:
            rehearsed += 1
            course.beside.submit(_rehearse, plan.folder / "work" / WEB.name).result()
        last = watch.said[-1].strip() if watch.said else "the watch begins"
        # The share that is done is shown by this screen already.
        line = re.sub(r"( \(\d+%\))+$", "", last)
        screen.show(Status(line, min(elapsed_s / plan.learn_s, 1.0)))

    longest_s = plan.learn_s * 2 + _TRAINING_S
    if not watch.until(lambda: watch.says("watching with"), longest_s, told):
        raise OddcallError(
            "the watch did not finish learning",
            expected=f"it within {format_duration(longest_s)}",
            got=watch.said[-1].strip() if watch.said else "silence",
        )


def _rehearse(folder: Path) -> None:
    """Do what asking for a behaviour does: this process, too, is learned at its work."""
    with roomed(made(folder), files.make) as room:
        (room / "home").mkdir()
        _write_down(room / "labels.jsonl", Outcome("", 0, "", "", 0.0, 0.0, {}))


def _write_down(labels: Path, outcome: Outcome) -> None:
    """Append a line that ``oddcall evaluate recordings`` reads."""
    with labels.open("a") as file:
        file.write(f"{json.dumps({**outcome.as_dict(), 'pid': outcome.pid or None})}\n")


def _watch(plan: Plan, course: Course, screen: Screen) -> None:
    begun, began = time.time(), time.monotonic()
    course.web_pid = web_server(plan, course.work).pid

    def told() -> None:
        elapsed_s = time.monotonic() - began
        opened = sum(arrival.alert["state"] == "open" for arrival in course.watching.arrivals)
        line = f"watching ordinary work, alerts so far: {opened}"
        screen.show(Status(line, min(elapsed_s / plan.watch_s, 1.0)))

    course.watching.until(lambda: False, plan.watch_s, told)
    course.watched = (begun, time.time())


def _misbehave(plan: Plan, course: Course, screen: Screen) -> None:
    for turn, behaviour in enumerate(plan.behaviours):
        status = Status(f"doing {behaviour.name}", turn / len(plan.behaviours))
        course.found.append(attempt(behaviour, plan, course, partial(screen.show, status)))


def attempt(
    behaviour: Behaviour,
    plan: Plan,
    course: Course,
    told: Callable[[], None],
    seconds: float = _ACT_S,
    pause_s: float = 0.0,
) -> Caught:
    """Run one behaviour, and wait for what is told of it, until nothing is any more."""

    def act() -> Outcome:
        folder = plan.folder / "work" / WEB.name
        server = None if plan.via else web_server(plan, course.work)
        # Of a new process of this interpreter nobody can know before which it is.
        pid = server.pid if server else 0
        who = process.read(Path("/proc"), pid or os.getpid())
        begun = time.time()
        try:
            return simulate.run(
                behaviour.name,
                via=server.url if server else plan.via,
                seconds=seconds,
                pause_s=pause_s,
                workdir=folder,
            )
        except OddcallError as error:
            return Outcome(
                name=behaviour.name,
                pid=pid,
                program=who.exe if who else "",
                folder=str(folder),
                start=begun,
                end=time.time(),
                detail={},
                technique=behaviour.technique,
                visible=not behaviour.invisible,
                failure=str(error),
            )

    return observe(behaviour, act, course, told, seconds)


def observe(
    behaviour: Behaviour,
    act: Callable[[], Outcome],
    course: Course,
    told: Callable[[], None],
    seconds: float = _ACT_S,
) -> Caught:
    """Wait for what is told of something that is done, in whatever process."""
    watch = course.watching
    first = len(watch.arrivals)
    doing = course.beside.submit(act)
    watch.until(doing.done, seconds + _SETTLE_S, told)
    outcome = doing.result()
    course.add(outcome)

    def mine() -> list[Arrival]:
        return [a for a in watch.arrivals[first:] if belongs(a.alert, outcome)]

    def settled() -> bool:
        return not {a.alert["episode_id"] for a in mine()} & watch.open_episodes()

    left_s = outcome.start + max(CAUGHT_WITHIN_S, seconds + _LATE_S) - time.time()
    if watch.until(lambda: bool(mine()), max(left_s, 1.0), told):
        watch.until(settled, _SETTLE_S, told)
    return caught(behaviour, outcome, watch.arrivals[first:])


def web_server(plan: Plan, work: Sequence[Progress]) -> registry.Running:
    """Find the demo server under trial.

    Raises
    ------
    OddcallError
        Why it could not be started, or has ended.
    """
    folder = plan.folder / "work" / WEB.name

    def runs() -> bool:
        for progress in work:
            if progress.workload.name == WEB.name and progress.failure:
                failure = progress.failure.rstrip(".")
                raise OddcallError("the web server under trial does not run", got=failure)
        return registry.running(folder) is not None

    wait_until(runs, "the demo server")
    running = registry.running(folder)
    assert running is not None  # noqa: S101  waited for just now
    return running
