"""Numbers over time, in bins: the last so many of them, for one row or for many."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

#: How values that fall into one bin become one, and what an empty bin holds.
_KINDS: dict[str, tuple[np.ufunc, float]] = {
    "sum": (np.add, 0.0),
    "least": (np.fmin, np.nan),
    "most": (np.fmax, np.nan),
}


class Ring:
    """Columns of numbers over the last ``bins`` bins of ``width_s`` seconds each.

    Parameters
    ----------
    width_s : float
    bins : int
        Bins that are kept, the newest among them.
    columns : dict of str
        Name -> ``"sum"``, ``"least"`` or ``"most"``.
    rows : int, default 1
    """

    def __init__(
        self, width_s: float, bins: int, columns: Mapping[str, str], rows: int = 1
    ) -> None:
        self.width_s, self.bins, self.rows = width_s, bins, rows
        self._width_ns = round(width_s * 1e9)
        self._kinds = {name: _KINDS[kind] for name, kind in columns.items()}
        self._newest = -1
        self._values = {name: self._empty(name, rows) for name in columns}

    def advance(self, now_ns: int) -> None:
        """Make the bin of ``now_ns`` the newest. A clock that was set well back begins anew."""
        now = now_ns // self._width_ns
        if now == self._newest:
            return
        if self._newest - self.bins // 10 <= now < self._newest:
            return  # set back a little: until it has caught up, the newest bin is not yet over
        if not self._newest <= now < self._newest + self.bins:
            for name in self._values:
                self._values[name] = self._empty(name, self.rows)
        else:
            fresh = np.arange(self._newest + 1, now + 1) % self.bins
            for name, (_, empty) in self._kinds.items():
                self._values[name][:, fresh] = empty
        self._newest = now

    def add(
        self,
        name: str,
        rows: NDArray[np.int64],
        time_ns: NDArray[np.int64],
        values: NDArray[np.generic],
    ) -> None:
        """Put values, (n,), into the bins of their rows and times; what no bin is kept for, not."""
        bin_ = time_ns // self._width_ns
        kept = (bin_ <= self._newest) & (bin_ > self._newest - self.bins)
        # By one index and not two: that is the way NumPy is quick at.
        place = rows[kept] * self.bins + bin_[kept] % self.bins
        flat = self._values[name].reshape(-1)
        self._kinds[name][0].at(flat, place, values[kept].astype(np.float64))

    def note(self, name: str, time_ns: int, value: float) -> None:
        """Put one value into the first row."""
        bin_ = time_ns // self._width_ns
        if self._newest - self.bins < bin_ <= self._newest:
            place = (0, bin_ % self.bins)
            held = self._values[name]
            held[place] = self._kinds[name][0](held[place], value)

    def grow(self, rows: int) -> None:
        """Make room for more rows."""
        for name, values in self._values.items():
            more = self._empty(name, rows - self.rows)
            self._values[name] = np.concatenate([values, more])
        self.rows = rows

    def clear(self, row: int) -> None:
        """Forget one row."""
        for name, (_, empty) in self._kinds.items():
            self._values[name][row] = empty

    def latest(self, name: str, bins: int, *, whole: bool = False) -> NDArray[np.float64]:
        """Values of the newest ``bins`` bins, oldest first, (rows, bins).

        Parameters
        ----------
        whole : leave the newest out, which is not over yet.
        """
        end = self._newest - int(whole)
        columns = np.arange(end - bins + 1, end + 1) % self.bins
        values: NDArray[np.float64] = self._values[name][:, columns]
        return values

    def times_s(self) -> NDArray[np.float64]:
        """Begin of every bin that is kept, oldest first, seconds UTC, (bins,)."""
        first = self._newest - self.bins + 1
        bins = np.arange(first, self._newest + 1, dtype=np.float64)
        times: NDArray[np.float64] = bins * self.width_s
        return times

    def _empty(self, name: str, rows: int) -> NDArray[np.float64]:
        return np.full((rows, self.bins), self._kinds[name][1])
