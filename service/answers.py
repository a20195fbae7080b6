"""What people said of alerts, laid over the model that is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from oddcall.models.errors import OddcallError
from oddcall.models.tolerance import NEVER, Tolerances
from oddcall.models.window import WindowBatch
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
