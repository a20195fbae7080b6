"""Traces written to files, and read back as they were written."""

from __future__ import annotations

from pathlib import Path

from oddcall.training.traces.parsing.reading import read_traces
from oddcall.training.traces.traces import TraceSet, Vocabulary


def words(traces: TraceSet, i: int) -> list[str]:
    """A trace as it was written."""
    tokens = traces.vocabulary.tokens
    return [tokens[call] for call in traces.trace(i)]


def everything(traces: TraceSet) -> list[list[str]]:
    return [words(traces, i) for i in range(len(traces))]


def read(root: Path) -> TraceSet:
    return read_traces(root, Vocabulary())


def put(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path
