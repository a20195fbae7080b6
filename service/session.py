"""One ``oddcall watch`` from start to end: the model, or learning it; then the line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, TextIO

from oddcall.models.budget import missed
from oddcall.models.bundle import load_bundle
from oddcall.models.durations import format_duration
from oddcall.models.errors import BundleError, OddcallError, RecordingError
from oddcall.models.explanation.explanation import explain
from oddcall.models.window import WindowBatch
from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.context import Describe, Remembered
from oddcall.service.alerts.episode import Episodes
from oddcall.service.board.board import ALERTS, Board
from oddcall.service.config.reload import Reload
from oddcall.service.config.settings import AlertSection, Settings
from oddcall.service.failed_calls import differing
from oddcall.service.history import History
from oddcall.service.judgeable import made_elsewhere
from oddcall.service.learning.evidence import Evidence
from oddcall.service.learning.learning import Learning
from oddcall.service.learning.memory import recalled
from oddcall.service.learning.newcomers import Newcomers
from oddcall.service.learning.summary import headline, table, warned
from oddcall.service.notify import Notifier
from oddcall.service.own import Own
from oddcall.service.screen import Screen
from oddcall.service.shadow import Shadow
from oddcall.service.sinks.base import Delivery, Sink
from oddcall.service.sinks.fanout import FanOut
from oddcall.service.sinks.jsonl import JsonLines, JsonStream
from oddcall.service.sinks.sections import name_of
from oddcall.service.sinks.terminal import Terminal
from oddcall.service.source import Source
from oddcall.service.state import StateDir
from oddcall.service.trust import named_model
from oddcall.service.upkeep import Upkeep, budgeted, episode_settings
from oddcall.service.watch import Keeping, Pulse, watch
from oddcall.service.web.serving import serving

if TYPE_CHECKING:
    from oddcall.models.learned import Learned
    from oddcall.models.model import Model
    from oddcall.service.sinks.queued import State


#: Programs shown when learning is over.
_ROWS = 15


@dataclass(frozen=True, slots=True)
class Request:
    """What ``watch`` was asked for.

    Attributes
    ----------
    settings : Settings
    alerts : Path or None
        File of JSON lines.
    record : Path or None
        Folder to keep what is judged in.
    json : TextIO or None
        Stream to write alerts to as JSON; None shows them as text.
    learns : bool
        Whether programs that the model does not know are learned while watching.
    shadow : Model or None
        Judges beside the other, and never sends.
    reload : Reload or None
        Says when the configuration is to be read again.
    """

    settings: Settings
    alerts: Path | None = None
    record: Path | None = None
    json: TextIO | None = None
    learns: bool = False
    shadow: Model | None = None
    reload: Reload | None = None


@dataclass(frozen=True, slots=True)
class Here:
    """The host that is watched.

    Attributes
    ----------
    source : Source
    metadata : dict of str
        For recordings of it.
    host : dict of str
        As alerts name it.
    ask : Describe
        Looks up a process that alerts.
    notifier : Notifier
        Told while ticks are waited for, too.
    """

    source: Source
    metadata: dict[str, str]
    host: dict[str, str]
    ask: Describe
    notifier: Notifier = field(default_factory=Notifier)


def known_model(settings: Settings, path: Path | None) -> Model | None:
    """Load the bundle that was named, else the baseline that was learned, if there is one.

    Raises
    ------
    BundleError
        When it cannot be trusted.
    """
    if path is not None:
        return named_model(path, settings.trusted_key)
    state = StateDir(settings.state_dir)
    if not state.baseline.exists():
        return None
    try:
        return load_bundle(state.baseline)
    except BundleError as error:
        raise BundleError(
            error.what,
            expected=error.expected,
            got=error.got,
            fix="Learn this host anew: oddcall watch --relearn",
        ) from error


def run(request: Request, model: Model | None, here: Here, screen: Screen) -> None:
    """Watch until the source ends, learning first where there is no model.

    Raises
    ------
    StorageError
        When a recording, a baseline or an alert could not be written.
    """
    people = Remembered(here.ask)
    with ExitStack() as opened:
        sinks = open_sinks(request, here.host, screen)
        delivery = Delivery(sinks, screen.say)
        opened.callback(delivery.close)
        keeping: Keeping | None = None
        if request.record:
            keeping = Keeping(request.record, here.metadata, people, screen)
            opened.callback(keeping.close)
        pulse = Pulse(screen)
        board = Board(
            here.host,
            capacity=request.settings.sensor.max_processes,
            loader=here.metadata.get("loader", ""),
        )
        board.sinks = partial(_standing, sinks)
        state = StateDir(request.settings.state_dir)
        told = _remember(board, state)
        opened.enter_context(serving(request.settings.web, state, board, screen.say))
        start = _start(request, model, here, screen, pulse, board)
        if start is None:
            screen.say("stopped while learning; the next start goes on from here")
            return
        model, batches = start
        screen.say(f"watching with {headline(model)}")
        if places := [*filter(None, [request.alerts]), *map(name_of, request.settings.sinks)]:
            screen.say(f"alerts go to {', '.join(map(str, places))}")
        if keeping:
            batches = keeping.pass_on(batches)
        episodes = open_episodes(model, here.host, request.settings.alerts, people)
        if episodes.abroad.away:
            screen.say(fill(made_elsewhere(model), 80, subsequent_indent="  "))
        episodes.learned = _learned(state, screen)
        if keeping:
            keeping.begin(episodes.learned)
        else:
            # What is kept is judged again without what went before.
            episodes.recall(told)
        upkeep = _upkeep(request, episodes, here, board, screen, sinks)
        opened.callback(upkeep.close)
        watch(upkeep.pass_on(batches), episodes, delivery, pulse, board, upkeep)
        screen.say(f"{pulse.summary()}; what is known is kept in {state.path}")
    if keeping and keeping.error:
        raise keeping.error


def _start(
    request: Request,
    model: Model | None,
    here: Here,
    screen: Screen,
    pulse: Pulse,
    board: Board,
) -> tuple[Model, Iterator[WindowBatch]] | None:
    """Give the model and what it is to judge; None when it was stopped while learning."""
    ticks = here.notifier.pass_on(board.pass_on(Own().pass_on(here.source.ticks())), board)
    if model is not None:
        return model, pulse.pass_on(ticks)
    state = StateDir(request.settings.state_dir)
    learning = _learning(state, request.settings, here, screen, board)
    backlog = learning.run(ticks)
    if backlog is None:
        return None
    learned = budgeted(load_bundle(state.baseline), request.settings)
    screen.say("\n".join(["", *table(learned, _ROWS), "", *warned(learned)]))
    return learned, chain(backlog, pulse.pass_on(ticks))


def open_sinks(request: Request, host: dict[str, str], screen: Screen) -> list[Sink]:
    """Open every place alerts go to; raises StorageError or SettingError when one cannot be."""
    from oddcall.service.sinks.opening import open_named, open_queued

    sections = request.settings.sinks
    sinks: list[Sink] = [] if request.json else [Terminal(screen)]
    named: list[Sink] = [JsonLines(request.alerts)] if request.alerts else []
    if request.json and not takes_stdout(request.settings):
        named.append(JsonStream(request.json))
    queued = open_queued(sections, request.settings.state_dir, host, screen.say)
    queued += [open_named(sink, host, screen.say) for sink in named]
    return [*sinks, FanOut(queued)]


def _remember(board: Board, state: StateDir) -> list[Alert]:
    """Put on the board what was alerted before this start, and give it, oldest first."""
    with suppress(OddcallError):
        history = History.reading(state.history)
        with closing(history):
            lines = [kept.alert for kept in reversed(history.latest(ALERTS))]
            board.remember(lines, history.opened_since(board.midnight_ns))
            return lines
    return []


def _learned(state: StateDir, screen: Screen) -> list[Learned]:
    """Read what baselines learned while an earlier watch went on."""
    try:
        return recalled(state.path)
    except RecordingError as error:
        screen.say(f"oddcall: {error}")
        return []


def _standing(sinks: Sequence[Sink]) -> list[State]:
    """Say how each sink that has a queue stands."""
    return [state for sink in sinks if isinstance(sink, FanOut) for state in sink.states]


def takes_stdout(settings: Settings) -> bool:
    """Whether standard output is a sink's, so that nothing else may go there."""
    return any(section.type == "stdout" for section in settings.sinks)


def open_episodes(
    model: Model, host: dict[str, str], section: AlertSection, describe: Describe
) -> Episodes:
    """Build the episodes of one run, the same for a live host and a recording."""
    return Episodes(model, explain, host, episode_settings(section), describe)


def _upkeep(
    request: Request,
    episodes: Episodes,
    here: Here,
    board: Board,
    screen: Screen,
    sinks: Sequence[Sink],
) -> Upkeep:
    settings = request.settings
    newcomers = shadow = None
    state = StateDir(settings.state_dir)
    if request.learns:
        budget = str(settings.budget)
        newcomers = Newcomers(state, settings.learning, budget, here.metadata, screen.say)
    if request.shadow:
        model = budgeted(request.shadow, settings)
        like = episode_settings(settings.alerts)
        shadow = Shadow(model, here.host, like, screen.say, episodes.learned)
        screen.say(f"in shadow, never sent: {headline(model)}")
        counted = (model.metadata, here.metadata, "what is counted now")
        if said := differing(*counted, who="the model in shadow"):
            screen.say(fill(said, 80, subsequent_indent="  "))

    def resink(before: Settings, after: Settings) -> None:
        from oddcall.service.sinks.opening import exchange

        (fan,) = (sink for sink in sinks if isinstance(sink, FanOut))
        exchange(fan, before.sinks, after.sinks, settings.state_dir, here.host, screen.say)

    return Upkeep(settings, episodes, board, screen.say, newcomers, shadow, request.reload, resink)


def _seldom(lesson_s: float) -> str:
    """Say before a lesson what it is too short for; empty where it is long enough."""
    rare = missed(lesson_s)
    return f"; what comes more seldom will be new to it, and may alert ({rare})" if rare else ""


def _learning(
    state: StateDir, settings: Settings, here: Here, screen: Screen, board: Board
) -> Learning:
    section = settings.learning
    screen.say(
        f"no model yet: learning this host for {format_duration(section.duration)}, "
        f"or up to {section.patience} times that where programs show too little"
        f"{_seldom(section.duration)}"
    )
    interval_s = settings.sensor.interval
    evidence = Evidence(section.duration, section.patience, section.min_windows, interval_s)
    return Learning(state, evidence, str(settings.budget), here.metadata, screen, board)
