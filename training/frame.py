"""A recording as a pandas DataFrame, for notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from oddcall.training.columns import LISTS, SCHEMA
from oddcall.training.parts import metadata_of, tables

if TYPE_CHECKING:
    import pandas as pd

_FIRST = ["t_start", "t_end", "pid", "start_time_ns", "ppid", "uid", "exe", "comm", "container"]
_FIRST += ["unit", "program", "n_events"]
_FIRST += [f"{stem}_{end}" for stem in LISTS.values() for end in ("ids", "counts")]
_FIRST += ["observed_s", "late_s", "lost"]


def read_recording(path: Path | str) -> pd.DataFrame:
    """Read a whole recording, one row a window of one process.

    Parameters
    ----------
    path : path
        Folder that ``oddcall record`` wrote.

    Returns
    -------
    DataFrame
        ``t_start``, ``t_end`` (datetime64[ns, UTC]), ``pid``, ``start_time_ns`` (boot clock),
        ``ppid``, ``uid``, ``exe``, ``comm``, ``container`` (its id), ``unit``, ``program``
        (a number that is the same in every recording), ``n_events``, the pairs
        ``syscall_ids``/``syscall_counts`` and so on for ``error``, ``transition``, ``uring``,
        ``compat`` (a numpy array each), ``observed_s``, ``late_s``, ``lost``; then ``tick``,
        ``container_kind``, ``dev``, ``ino``, ``forks``, ``execs``, ``exits``, ``lost_keys``,
        ``identity_complete``. ``frame.attrs`` holds the recording's metadata.

    Raises
    ------
    RecordingError
        When the recording is foreign, damaged or of another schema.
    """
    import pandas as pd  # noqa: F401 - to_pandas needs it; nothing else does

    order = _FIRST + [name for name in SCHEMA.names if name not in _FIRST]
    table = pa.concat_tables(list(tables(path)) or [SCHEMA.empty_table()])
    frame: pd.DataFrame = table.select(order).to_pandas()
    frame.attrs = dict(metadata_of(table.schema).items())
    return frame
