"""Sorting the traces of places: by label, and by the place they are from where there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oddcall.models.errors import EvidenceError, OddcallError, SettingError
from oddcall.training.traces.parsing.columns import LABEL, MAYBE_LABEL, column, listed
from oddcall.training.traces.parsing.labels import Labels, label_fix
from oddcall.training.traces.traces import FOLDS, Labelled, Split, TraceSet

#: Part of the traces to learn from that is judged as normal where none are given.
_HELD_OUT = 1 / 3
#: Labels that an error names.
_NAMED = 8


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A file or a folder of traces, the label of each, and the columns of its tables."""

    traces: TraceSet
    labels: tuple[str, ...]
    columns: tuple[str, ...] = ()

    def labelled(self, meaning: Labels, attack: bool | None) -> tuple[TraceSet, list[str]]:
        """Give traces and labels of those that are of an attack, or are of none, or have none."""
        picked = [i for i, one in enumerate(self.labels) if meaning.is_attack(one) is attack]
        return self.traces.take(np.array(picked, np.int64)), [self.labels[i] for i in picked]


def sorted_split(places: dict[str, Place], meaning: Labels) -> Split:
    """Sort traces by label, and those without one by the place they are from.

    Parameters
    ----------
    places : dict of Place
        By ``--train``, and ``--normal`` and ``--attack`` if they are given.
    meaning : Labels

    Raises
    ------
    SettingError
        There is no attack, or a word that was named as of normal traces is no trace's label.
    EvidenceError
        There is no normal trace to learn from, or to judge.
    """
    _require_met(places, meaning)
    known = places["--train"]
    learned = [known.labelled(meaning, None)[0], known.labelled(meaning, attack=False)[0]]
    train = TraceSet.joined(learned, known.traces)
    clean = [TraceSet.of([], train.vocabulary)]
    clean += [
        place.labelled(meaning, attack=False)[0]
        for flag, place in places.items()
        if flag != "--train"
    ]
    odd = [place.labelled(meaning, attack=True) for place in places.values()]
    if "--normal" in places:
        clean.append(places["--normal"].labelled(meaning, None)[0])
    if "--attack" in places:
        odd.append(places["--attack"].labelled(meaning, None))
    normal, attack = (
        TraceSet.joined(judged, places[flag].traces if flag in places else None)
        for flag, judged in (("--normal", clean), ("--attack", [traces for traces, _ in odd]))
    )
    if not len(attack):
        raise _missing("attack", "judge", places, meaning)
    if not len(train):
        raise _missing("normal trace", "learn from", places, meaning)
    held_out = "--normal" not in places and not len(normal)
    if held_out:
        drawn = hold_out(train)
        normal = train.take(np.flatnonzero(drawn))
        train = TraceSet.joined([train.take(np.flatnonzero(~drawn))], train)
    elif not len(normal):
        raise _missing("normal trace", "judge", places, meaning)
    kinds = tuple(label for _, labels in odd for label in labels)
    labelled = _labelled(places.values(), meaning)
    return Split("traces", train, normal, attack, held_out, labelled, kinds)


def hold_out(traces: TraceSet, part: float = _HELD_OUT, seed: int = 0) -> NDArray[np.bool_]:
    """Draw traces at random, (n,), copies of one together: at most ``part`` of them.

    A trace with so many copies that they would be more is not drawn. Nor are more than ``part`` of
    those that differ: where some have many copies, the others would all be judged, and hardly any
    would be left to learn from. ``FOLDS`` that differ are left at least.
    """
    same = traces.same()
    copies = np.bincount(same, minlength=1)
    drawn, left = np.zeros(len(copies), np.bool_), int(part * len(traces))
    spare = min(len(copies) - FOLDS, max(int(part * len(copies)), 1))
    for kind in np.random.default_rng(seed).permutation(len(copies)):
        if spare > 0 and copies[kind] <= left:
            drawn[kind], left, spare = True, left - int(copies[kind]), spare - 1
    return drawn[same]


def _labelled(places: Iterable[Place], meaning: Labels) -> tuple[Labelled, ...]:
    """Count the traces of each label; nothing where no trace has one."""
    times = Counter(label for place in places for label in place.labels)
    found = (Labelled(label, meaning.is_attack(label), n) for label, n in times.most_common())
    return tuple(found) if any(times) else ()


def _require_met(places: dict[str, Place], meaning: Labels) -> None:
    met = {label for place in places.values() for label in place.labels}
    if strange := meaning.normal - met:
        raise SettingError(
            f"no trace has the label {min(strange)!a}, which was named as that of normal ones",
            expected="--normal-label with a label of the traces",
            got=_met(places),
        )


def _missing(what: str, to: str, places: dict[str, Place], meaning: Labels) -> OddcallError:
    """Make the error of traces that are not there, with what their labels were taken for."""
    said = f"there is no {what} to {to}"
    if what == "attack":
        tables = any(place.columns for place in places.values())
        named = label_fix() if tables else "Say with --attack where they are."
        fix = named if "--attack" not in places else ""
        return SettingError(
            said, expected="--attack, or traces with labels of attacks", got=_met(places), fix=fix
        )
    name = "--train" if to == "learn from" else "--normal"
    fix = "" if meaning.normal else "Name that of normal ones: --normal-label WORD. "
    return EvidenceError(
        said,
        expected=f"traces without a label in {name}, or with one of normal traces",
        got=f"{_met(places)}, all taken for attacks",
        fix=fix + label_fix(),
    )


def _met(places: dict[str, Place]) -> str:
    """Name the labels that were met, and where there are none the columns."""
    times = Counter(label for place in places.values() for label in place.labels if label)
    columns = list(dict.fromkeys(name for place in places.values() for name in place.columns))
    if times:
        shown = [f"{label[:24]!a} {n:,}" for label, n in times.most_common(_NAMED)]
        more = f" and {len(times) - _NAMED} more" if len(times) > _NAMED else ""
        return f"the labels {', '.join(shown)}{more}"
    if not columns:
        return "no labels" if "--attack" in places else "no labels and no --attack"
    name = column(columns, LABEL) or column(columns, MAYBE_LABEL)
    none = "none of them known as that of labels" if name is None else f"no label in {name}"
    return f"the columns {listed(columns)}, {none}"
