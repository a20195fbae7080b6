"""Warnings where what counted as a failed call meets what counts as one now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from oddcall.training.failed_calls import CONNECTING, IN_PART, WITHOUT_SENDMMSG, joined, meaning

if TYPE_CHECKING:
    from pathlib import Path

    # It brings Parquet, which a watch has in no process that stays.
    from oddcall.training.lake import Source

#: What to do where the model is a watch's own, and where it is any other.
RELEARN = "Learn anew: `oddcall watch --relearn`."
TRAIN = "Learn anew: `oddcall record -o DIR` in clean time, then `oddcall train DIR -o FILE`."

_MEANS = {
    CONNECTING: "counts as no failed call in",
    "": "counts as a failed call in",
    IN_PART: "counts as a failed call in a part of",
    WITHOUT_SENDMMSG: "counts as a failed call where sendmmsg begins it in",
}
_SO = "programs that connect {how} may look odd for no reason, or not be found odd."


def differing(
    model: Mapping[str, str],
    judged: Mapping[str, str],
    where: str,
    fix: str = TRAIN,
    who: str = "the model",
) -> str:
    """Warn of a model that learned another meaning than what it judges; empty where it did not.

    Parameters
    ----------
    model, judged : mapping of str
        Metadata of both.
    where : str
        What is judged, after "in": ``"what is counted now"``.
    fix : str
        What to do.
    who : str
        Whose model it is, for people.
    """
    ours, theirs = meaning(model), meaning(judged)
    if ours == theirs:
        return ""
    return (
        f"warning: a connection in progress (EINPROGRESS) {_of(ours)} what {who} learned, and "
        f"{_of(theirs)} {where}: {_so(ours, theirs)} {fix}"
    )


def mixed(sources: Sequence[Source]) -> str:
    """Say of recordings of several meanings which one has each; empty where they are of one."""
    if IN_PART not in joined(source.metadata for source in sources).values():
        return ""
    first: dict[str, Path] = {}
    for source in sources:
        first.setdefault(meaning(source.metadata), source.path)
    # What is to be left out comes before what is not.
    former = sorted(first, key=CONNECTING.__eq__)
    each = ", and ".join(f"{_of(meant)} {first[meant]}" for meant in former)
    return (
        f"a connection in progress (EINPROGRESS) {each}: {_so(*first)} "
        "Leave recordings made before out, and record anew: `oddcall record -o DIR`."
    )


def _so(*meant: str) -> str:
    """Say what comes of meanings that differ: where only sendmmsg does, to hardly any program."""
    alike = {CONNECTING, WITHOUT_SENDMMSG}.issuperset(meant)
    return _SO.format(how="by sendmmsg, as few do," if alike else "without waiting")


def _of(meant: str) -> str:
    return _MEANS.get(meant, f"counts by another rule ({meant}) in")
