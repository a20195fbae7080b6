"""What a watch keeps up beside judging: answers, history, newcomers, states, a shadow, settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from oddcall.models.errors import OddcallError, StorageError
from oddcall.models.window import Program, WindowBatch
from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.episode import Episodes, EpisodeSettings
from oddcall.service.alerts.judging import Step
from oddcall.service.answers import Unread, taken_up
from oddcall.service.board.board import Board
from oddcall.service.chronicle import Chronicle
from oddcall.service.config.reload import Reload
from oddcall.service.config.settings import AlertSection, Settings
from oddcall.service.feedback import Feedback
from oddcall.service.history import History
from oddcall.service.learning.evidence import Seen
from oddcall.service.learning.generations import listed
from oddcall.service.learning.memory import Memory
from oddcall.service.learning.newcomers import Newcomers, newly_ready
from oddcall.service.learning.states import States
from oddcall.service.shadow import Shadow
from oddcall.service.state import StateDir

if TYPE_CHECKING:
    from oddcall.models.model import Model


#: Ticks between two looks at what drifts: it takes minutes to show.
_DRIFT_EVERY = 30


def _kept_sinks(_before: Settings, _after: Settings) -> None:
    """Leave the sinks as they are."""


class Upkeep:
    """The companions of one watch, called before and after each batch is judged.

    Parameters
    ----------
    settings : Settings
    episodes : Episodes
        Holds the model in use.
    board : Board
    say : callable
    newcomers : Newcomers, optional
        None where the model was given, not learned here.
    shadow : Shadow, optional
    reload : Reload, optional
        Says when other settings are to be taken.
    resink : callable
        Exchanges the sinks of some settings for those of others.
    """

    def __init__(
        self,
        settings: Settings,
        episodes: Episodes,
        board: Board,
        say: Callable[[str], None],
        newcomers: Newcomers | None = None,
        shadow: Shadow | None = None,
        reload: Reload | None = None,
        resink: Callable[[Settings, Settings], None] = _kept_sinks,
    ) -> None:
        self.settings = settings
        self._episodes, self._board, self._say = episodes, board, say
        self._newcomers, self._shadow = newcomers, shadow
        self._reload, self._resink = reload, resink
        self._state = StateDir(settings.state_dir)
        self._count = 0
        self._unjudged: set[Program] = set()
        self._opened = ExitStack()
        self._chronicle = self._open_chronicle(settings.alerts)
        self._unread = Unread(Feedback(self._state.feedback), say)
        if newcomers:
            self._opened.callback(newcomers.close)
        self.states = States(
            self._state.programs,
            lambda: episodes.model,
            newcomers.seen if newcomers else _nobody,
            settings.learning.stale,
            settings.learning.min_windows,
            say,
            episodes.abroad.same,
        )
        self._opened.callback(self.states.write)
        self._memory = Memory(self._state.path, say)
        self._opened.callback(self._memory.write)
        self._show(episodes.model)

    def pass_on(self, batches: Iterable[WindowBatch]) -> Iterator[WindowBatch]:
        """Yield every batch once what was said and learned until then holds for it."""
        feedback = Feedback(self._state.feedback)
        for batch in taken_up(batches, feedback, self._episodes, self._say):
            if self._reload and (taken := self._reload.taken(self.settings, self._say)):
                self._configure(taken)
            if self._newcomers and (model := self._newcomers.learned(self._episodes.model)):
                self._use(model)
            if not self._newcomers:
                self._tell_unjudged()
            yield batch
            if self._chronicle:
                self._chronicle.flush()

    def saw(self, step: Step) -> None:
        """Take a batch that was judged, and what came of it."""
        if self._newcomers:
            self._newcomers.see(step.batch, step.verdicts)
        self._count += 1
        if self._count % _DRIFT_EVERY == 0:
            moved = {drift.program: drift.why for drift in step.drift()}
            self.states.drifting = lambda program: moved.get(program, "")
        self._memory.saw(step.learned)
        self.states.see(step.batch)
        if self._shadow:
            self._shadow.see(step.batch, [*step.alerts, *step.held])

    def wrote(self, alert: Alert) -> None:
        """Take one line of an alert."""
        if self._chronicle:
            self._chronicle.wrote(alert)
        self._unread.wrote(alert)

    def close(self) -> None:
        """Write down what outlives the watch, and say how the shadow did."""
        if self._shadow:
            self._say(str(self._shadow.tally()))
        self._opened.close()

    def _configure(self, taken: Settings) -> None:
        before, self.settings = self.settings, taken
        self._episodes.configure(episode_settings(taken.alerts))
        if self._newcomers:
            self._newcomers.section = taken.learning
        if taken.budget != before.budget:
            self._episodes.model = self._episodes.model.for_budget(taken.budget.per_day)
            self._show(self._episodes.model)
        if taken.sinks != before.sinks:
            try:
                self._resink(before, taken)
            except OddcallError as error:
                self._say(str(error))

    def _use(self, learned: Model) -> None:
        """Judge by a model that was learned meanwhile, under the same budget and answers."""
        before = self._episodes.model
        model = replace(budgeted(learned, self.settings), tolerances=before.tolerances)
        self._episodes.model = model
        self._show(model)
        self._say(f"learned while watching: {newly_ready(before, model) or 'nobody new is ready'}")

    def _tell_unjudged(self) -> None:
        """Name whom nothing judges to the end, as what was known of them is not learned again."""
        before, self._unjudged = self._unjudged, set(self._episodes.model.restored)
        if fresh := self._unjudged - before:
            self._say(
                f"nothing judges {listed(fresh)}: to be forgotten no more, and learned again only "
                "by a watch without --model and --record"
            )

    def _show(self, model: Model) -> None:
        self._board.watching(model)
        self._board.standing, self._board.same = self.states.standing, self._episodes.abroad.same

    def _open_chronicle(self, section: AlertSection) -> Chronicle | None:
        """Keep alerts where they can be answered; without it a watch still watches."""
        try:
            history = History(self._state.history, self._say, section.history)
        except StorageError as error:
            self._say(f"{error} Alerts are not kept, and cannot be answered.")
            return None
        chronicle = Chronicle(history, lambda: self._episodes.model)
        self._episodes.saw = chronicle.saw
        self._opened.callback(chronicle.close)
        return chronicle


def episode_settings(section: AlertSection) -> EpisodeSettings:
    """Say when a line is written, as the settings have it."""
    return EpisodeSettings(
        quiet_s=section.quiet,
        update_s=section.update,
        cooldown_s=section.cooldown,
        most_per_hour=section.most_per_hour,
    )


def budgeted(model: Model, settings: Settings) -> Model:
    """Hold a model to the budget that was asked for; where none was, it keeps to its own."""
    asked = "budget" in settings.model_fields_set
    return model.for_budget(settings.budget.per_day) if asked else model


def _nobody(_program: Program) -> Seen | None:
    return None
