"""What to know of figures of recordings: what bounds what they tell, and promises not kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from oddcall.service.quantities import counted
from oddcall.training.figures import Result
from oddcall.training.recording_figures import TOGETHER, BarelyMet, Kept

#: Fewer windows of attacks say little of others.
_FEW = 20
#: So much more AUC of a detector by itself is told.
_BETTER = 0.02


def caveats(
    results: Mapping[str, Result], promises: Sequence[Kept], met: BarelyMet | None
) -> Iterator[str]:
    """Say what to know before believing the figures; each is a paragraph.

    Parameters
    ----------
    results : dict of Result
        Windows told apart by all detectors together and by each; empty where there is nothing.
    promises : sequence of Kept
        Rows of p-values on clean windows.
    met : BarelyMet or None
        Where programs were judged by those like them.
    """
    windows = min((len(result.attack) for result in results.values()), default=_FEW)
    if windows < _FEW:
        yield (
            f"Only {counted(windows, 'window')} of attacks: AUC, AP and what is found of so few "
            f"tell little of others, as each is {100 / windows:.0f} % of them."
        )
    if broken := [row for row in promises if row.broken]:
        came = [f"{share(row.promised)} came as {share(row.realised)}" for row in broken]
        yield (
            f"Broken: of p-values on clean windows a promised {', '.join(came)}. That is more "
            "than half again, and more than drawing stretches of time anew explains: the lesson "
            "did not show this work, and false alerts may pass the budget. A longer lesson, or "
            "one of such work, mends that. An attack that no label names is held for clean, too."
        )
    if met and met.least_p is not None:
        yield from _of_barely_met(results)


def _of_barely_met(results: Mapping[str, Result]) -> Iterator[str]:
    yield (
        "Programs barely met hardly ever alert: they are judged by those like them, and that is "
        "calibrated on settled programs whose stand-ins had seen nothing of them, where these "
        "have seen a little. p-values promise far less than they could; go by AUC and by what is "
        "found at false positives, not by alerts."
    )
    alone = {name: result.auc for name, result in results.items() if name != TOGETHER}
    best = max(alone, key=lambda name: alone[name], default="")
    if best and alone[best] > results[TOGETHER].auc + _BETTER:
        yield (
            f"{best} by itself tells windows apart better than all together: the clean windows of "
            "such a program are not as usual as those of its like either, which the others say "
            "of many of them as loudly as of attacks, and the strongest counts."
        )


def share(part: float) -> str:
    """Write a share in percent, with as many figures as it deserves."""
    return f"{100 * part:.2g} %" if part < 0.1 else f"{100 * part:.0f} %"
