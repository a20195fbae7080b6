"""First and last calls of traces: where one of them alone tells attacks from what is normal."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oddcall.models.errors import SettingError
from oddcall.training.traces.parsing.columns import column_fix, listed
from oddcall.training.traces.parsing.unnamed import YES_OR_NO
from oddcall.training.traces.traces import FOLDS, Split, TraceSet

#: What a trace is where a label may stand in the file, before or behind its calls.
_OF_FILES = {"file", "joined"}


class Telling(NamedTuple):
    """The same call at one end of every normal trace, and at that of no attack.

    Attributes
    ----------
    which : str
        ``"first"`` or ``"last"``.
    normal : str
    attack : tuple of str
        Calls that attacks have there, in order.
    """

    which: str
    normal: str
    attack: tuple[str, ...]


def telling_ends(split: Split) -> list[Telling]:
    """Find the ends that tell attacks by themselves; of fewer than five normal traces none does."""
    if len(split.train) + len(split.normal) < FOLDS or not len(split.attack):
        return []
    found = []
    for which in ("first", "last"):
        normal = _ends(split.train, which) | _ends(split.normal, which)
        attack = _ends(split.attack, which)
        if len(normal) == 1 and not normal & attack:
            found.append(Telling(which, min(normal), tuple(sorted(attack))))
    return found


def require_no_label_at_ends(split: Split) -> None:
    """Refuse files that are a trace each, and begin or end with 0, 1 or -1 by the place alone.

    Calls have these numbers too, but no five programs that are normal and five attacks share one
    each. Of other words that tell the places apart is told with the figures: attacks may well begin
    with another call than what is normal.

    Raises
    ------
    SettingError
        With what to do.
    """
    if split.labelled or not set(split.train.read_as) <= _OF_FILES or len(split.attack) < FOLDS:
        return
    for which, normal, attack in telling_ends(split):
        if {normal, *attack} <= YES_OR_NO:
            raise SettingError(
                f"the {which} word of every file reads as a label, not as a call: it is {normal} in"
                f" every normal trace, and {' or '.join(attack)} in every attack",
                expected="calls alone, or a first line that names the columns",
                got=listed([normal, *attack]),
                fix="Take it away. If it is a call add --layout file. If the files are tables:"
                f" {column_fix()}",
            )


def _ends(traces: TraceSet, which: str) -> set[str]:
    at = traces.indptr[:-1] if which == "first" else traces.indptr[1:] - 1
    tokens = traces.vocabulary.tokens
    return {tokens[call] for call in np.unique(traces.calls[at]).tolist()}
