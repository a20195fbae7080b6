"""BETH: labelled recordings of honeypots, of which each process of each host is a trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from oddcall.models.errors import RecordingError
from oddcall.models.sparse import IntArray
from oddcall.training.traces.datasets.csv_rows import csv_rows
from oddcall.training.traces.parsing.reading import require_some
from oddcall.training.traces.parsing.tokens import call_token
from oddcall.training.traces.traces import (
    MOST_CALLS,
    MOST_CALLS_OF_SET,
    Split,
    TraceSet,
    Vocabulary,
)

_COLUMNS = ("processId", "hostName", "eventName", "evil")


def beth(root: Path) -> Split:
    """BETH (Highnam et al. 2021): processes of honeypots.

    ``labelled_training_data.csv`` is learned from; processes of the validation and the testing
    file are judged. A process is an attack when any of its events is labelled ``evil``.
    """
    vocabulary = Vocabulary()
    train, _ = _file(root / "labelled_training_data.csv", vocabulary)
    judged = [
        _file(root / f"labelled_{part}_data.csv", vocabulary) for part in ("validation", "testing")
    ]
    traces = [trace for found, _ in judged for trace in found]
    evil = np.array([label for _, labels in judged for label in labels], np.bool_)

    def picked(wanted: bool) -> TraceSet:
        chosen = [trace for trace, label in zip(traces, evil, strict=True) if label == wanted]
        kind = "evil" if wanted else "benign"
        return require_some(
            TraceSet.of(chosen, vocabulary), f"the {kind} processes of {root}", "one"
        )

    return Split("beth", TraceSet.of(train, vocabulary), picked(wanted=False), picked(wanted=True))


def _file(path: Path, vocabulary: Vocabulary) -> tuple[list[IntArray], list[bool]]:
    processes: dict[tuple[str, str], list[int]] = {}
    evil: dict[tuple[str, str], bool] = {}
    for total, row in enumerate(csv_rows(path, _COLUMNS), 1):
        token = call_token(row["eventName"].strip().encode())
        if token is None:
            raise RecordingError(f"an event of {path} has no name", got=repr(row["eventName"]))
        who = (row["hostName"], row["processId"])
        processes.setdefault(who, []).append(vocabulary.id(token))
        evil[who] = evil.get(who, False) or row["evil"].strip() == "1"
        _require_bounded(total, path)
    if not processes:
        raise RecordingError(f"{path} holds no event", expected="one event a line")
    traces = [np.array(calls[:MOST_CALLS], np.int64) for calls in processes.values()]
    return traces, [evil[who] for who in processes]


def _require_bounded(total: int, path: Path) -> None:
    if total > MOST_CALLS_OF_SET:
        raise RecordingError(
            f"{path} holds too many events to be held in memory",
            expected=f"at most {MOST_CALLS_OF_SET:,}",
            fix="Give a sample of the hosts.",
        )
