"""How much of what runs a model can speak of: said, so that silence is not taken for calm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.abroad import hosts_of
from oddcall.models.verdict import Verdicts
from oddcall.models.window import WindowBatch
from oddcall.service.quantities import counted

if TYPE_CHECKING:
    from oddcall.models.model import Model

#: Seconds of windows after which a model that knows none of them is warned of.
PATIENCE_S = 60.0
#: What windows of an incomplete identity are: of a process that was gone too soon, mostly.
PARTLY = "whose program, unit or container was not read in time"
#: Said where a model judges what it is made of.
LEARNED = "the model learned from a part of this time, and what it learned cannot surprise it"


@dataclass(slots=True)
class Judgeable:
    """Counts windows by what the model can say of them.

    Attributes
    ----------
    windows, known, ready, partly : int
        Judged; of a program that the model has a baseline for; that could have alerted; of these
        the ones whose program, unit and container could not all be read: judged by what was.
    """

    windows: int = 0
    known: int = 0
    ready: int = 0
    partly: int = 0

    def see(self, batch: WindowBatch, verdicts: Verdicts) -> None:
        """Take one batch, and the verdicts on it."""
        self.windows += len(verdicts)
        self.known += int(np.count_nonzero(verdicts.profile >= 0))
        self.ready += int(np.count_nonzero(verdicts.ready))
        self.partly += int(np.count_nonzero(verdicts.ready & ~batch.identity_complete))

    def __str__(self) -> str:
        could = f"{self.ready:,} of {self.windows:,} windows could alert"
        # Training leaves these out: whoever holds both counts against each other is told why.
        return could + (f" ({self.partly:,} {PARTLY}, judged by the rest)" if self.partly else "")

    def warning(self, model: Model) -> str:
        """Say that nothing can alert, and why; empty where something can, or nothing ran."""
        if self.ready or not self.windows:
            return ""
        if self.known:
            return (
                f"warning: none of {self.windows:,} windows could alert: the model has a settled "
                "baseline of no program that runs here. Train one for longer, or on this host."
            )
        return (
            f"warning: none of {self.windows:,} windows could alert: the model, made on "
            f"{_made_on(model)}, knows no program that runs here. Train one on this host, or on "
            "one that runs the same."
        )


def made_elsewhere(model: Model) -> str:
    """Say of a model that was made on other hosts how programs are told by it."""
    return (
        f"the model was made on {_made_on(model)}: programs are known by path, unit and kind of "
        "container; the first binary met in a place counts as the one learned there"
    )


def _made_on(model: Model) -> str:
    name = model.metadata.get("host_name") or "another host"
    more = len(hosts_of(model.metadata)) - 1
    return f"{name} and {counted(more, 'other host')}" if more > 0 else name
