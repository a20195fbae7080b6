"""What people said of alerts, laid over the model that is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from oddcall.models.errors import OddcallError
from oddcall.models.tolerance import NEVER, Tolerances
from oddcall.models.window import WindowBatch
from oddcall.service.alerts.alert import Alert, anew, short
from oddcall.service.alerts.episode import Episodes
from oddcall.service.feedback import Feedback
from oddcall.service.quantities import counted


def taken_up(
    batches: Iterable[WindowBatch],
    feedback: Feedback,
    episodes: Episodes,
    say: Callable[[str], None],
) -> Iterator[WindowBatch]:
    """Yield every batch, to be judged by what was said until then."""
    said = in_words(Tolerances())
    for batch in batches:
        if feedback.changed():
            try:
                given = feedback.given()
                told = feedback.tolerances(given=given)
                now = feedback.tolerances(now=True, given=given)
            except OddcallError as error:
                say(f"{error} What was said before holds on.")
            else:
                lay_over(episodes, told)
                before, said = said, in_words(now)
                if said != before:
                    say(f"feedback: {said}")
        yield batch


class Unread:
    """Makes an alert unread again, whatever was answered, once it tells more.

    Parameters
    ----------
    feedback : Feedback
        One that nobody else asks what changed.
    say : callable
        Told of each, and of what cannot be written.
    """

    def __init__(self, feedback: Feedback, say: Callable[[str], None]) -> None:
        self._feedback, self._say = feedback, say
        self._answered: set[str] = set()

    def wrote(self, alert: Alert) -> None:
        """Take one line of an alert; it is kept already."""
        episode, more = str(alert["episode_id"]), anew(alert)
        if not more:
            return
        try:
            # The file is read where it changed: a storm of such lines must not read it each time.
            if self._feedback.changed():
                self._answered = {said.episode for said in self._feedback.given()}
            if episode in self._answered and self._feedback.lapse(episode, more):
                self._say(f"alert {short(episode)} tells more than when it was answered: {more}")
        except OddcallError as error:
            self._say(f"{error} Alert {short(episode)} tells more than when it was answered.")


def lay_over(episodes: Episodes, told: Tolerances) -> None:
    """Let the model in use tolerate and forget what people said, and nothing else."""
    episodes.model = replace(episodes.model, tolerances=told)


def in_words(told: Tolerances) -> str:
    """Say how much is tolerated and forgotten."""
    behaviours = len(told.tolerated)
    programs = sum(span != NEVER for _, _, span in told.forgotten)
    said = [f"{counted(behaviours, 'behaviour')} tolerated"] if behaviours else []
    said += [f"{counted(programs, 'program')} forgotten"] if programs else []
    return ", ".join(said) or "nothing is tolerated or forgotten any more"
