"""What to know of figures of recordings: what bounds what they tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from oddcall.service.quantities import counted
from oddcall.training.figures import Result

#: Fewer windows of attacks say little of others.
_FEW = 20


def caveats(results: Mapping[str, Result]) -> Iterator[str]:
    """Say so where so few windows of attacks were judged that they tell little."""
    windows = min((len(result.attack) for result in results.values()), default=_FEW)
    if windows < _FEW:
        yield (
            f"Only {counted(windows, 'window')} of attacks: AUC, AP and what is found of so few "
            f"tell little of others, as each is {100 / windows:.0f} % of them."
        )
