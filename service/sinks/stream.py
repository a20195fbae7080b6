"""Records as lines on a stream such as standard output, and through a sink that has no thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from oddcall.service.sinks.base import Sink
from oddcall.service.sinks.transport import Record, undelivered


class Stream:
    """Write one line of JSON a record; a reader that has left is waited for."""

    batch = 1

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, records: Sequence[Record]) -> None:
        """Write at once; raises DeliveryError."""
        try:
            for record in records:
                self._stream.write(record.line + "\n")
            self._stream.flush()
        except OSError as error:
            raise undelivered("standard output", error) from error

    def reach(self) -> None:
        """Do nothing: it is there."""

    def close(self) -> None:
        """Leave the stream to whoever opened it."""


class Through:
    """Pass records to a sink that delivers at once."""

    batch = 1

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def send(self, records: Sequence[Record]) -> None:
        """Deliver one after the other."""
        for record in records:
            self._sink.send(record.body)

    def reach(self) -> None:
        """Do nothing: the sink was opened."""

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()
