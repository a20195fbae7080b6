"""Figures of each kind of attack: a method that is good on average may miss one kind wholly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.training.figures import RATES, Result

#: What tells one run of an attack from another: ``Adduser_7``, ``scan-03``.
_RUN = re.compile(r"[-_ .]*\d+$")
#: More kinds than this are names of single runs, and make no table.
_MOST_KINDS = 40


@dataclass(frozen=True, slots=True)
class Kind:
    """How well one kind of attack is told from the normal traces.

    Attributes
    ----------
    count : int
        Traces of that kind.
    auc : float
    detected : dict of float
        False-positive rate -> share found at that rate or less; of the rates of the result.
    found : float
        Share above the detector's own threshold.
    """

    count: int
    auc: float
    detected: dict[float, float]
    found: float


def kinds_of(labels: Sequence[str], words: Sequence[str] = ()) -> tuple[str, ...]:
    """Name the kind of each attack trace by its label, or by the folder it is in.

    Labels count where every attack has one and they name kinds. Of the name of a folder the
    number of its run is left out; a trace in no folder is known by its file's name. Empty when
    that names no kinds: when all traces would be of one kind, or nearly every trace of its own,
    or a name is a number.

    Parameters
    ----------
    labels : sequence of str
        Paths of the traces below the directory of attacks.
    words : sequence of str, optional
        Label of each; empty where it has none.
    """
    if all(words) and _are_kinds(words):
        return tuple(words)
    paths = [PurePosixPath(label) for label in labels]
    names = [path.parts[0] if len(path.parts) > 1 else path.name.split(".", 1)[0] for path in paths]
    kinds = tuple(_RUN.sub("", name) for name in names)
    return kinds if _are_kinds(kinds) and all(kinds) else ()


def by_kind(result: Result, kinds: Sequence[str]) -> dict[str, Kind]:
    """Measure each kind of attack against all normal traces.

    Parameters
    ----------
    result : Result
    kinds : sequence of str (m,)
        Of every attack of the result, as ``kinds_of`` gives them; none gives no figures.
    """
    if not kinds:
        return {}
    named = np.array(kinds)
    return {str(kind): _measured(result, result.attack[named == kind]) for kind in np.unique(named)}


def mean_kinds(runs: Sequence[dict[str, Kind]]) -> dict[str, Kind]:
    """Mean figures of repeated runs over the same kinds, of the rates that all have."""
    return {
        name: Kind(
            runs[0][name].count,
            float(np.mean([run[name].auc for run in runs])),
            {
                rate: float(np.mean([run[name].detected[rate] for run in runs]))
                for rate in RATES
                if all(rate in run[name].detected for run in runs)
            },
            float(np.mean([run[name].found for run in runs])),
        )
        for name in runs[0]
    }


def _are_kinds(names: Sequence[str]) -> bool:
    return 1 < len(set(names)) <= min(_MOST_KINDS, len(names) // 2)


def _measured(result: Result, attack: FloatArray) -> Kind:
    normal = np.sort(result.normal)
    below, upto = (np.searchsorted(normal, attack, side) for side in ("left", "right"))
    return Kind(
        len(attack),
        float(np.mean(below + upto) / (2 * len(normal))),
        {rate: float(np.mean(attack > _level(normal, rate))) for rate in result.detected},
        float(np.mean(attack > result.threshold)),
    )


def _level(normal: FloatArray, rate: float) -> float:
    """Score that at most ``rate`` of the sorted normals exceed."""
    allowed = int(rate * len(normal) + 1e-9)
    return float(normal[len(normal) - allowed - 1])
