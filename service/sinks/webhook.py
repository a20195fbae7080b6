"""Records as JSON to an HTTP server."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from oddcall.service.sinks.http import Endpoint
from oddcall.service.sinks.transport import Record

#: What the key of a batch is derived under.
_KEYS = uuid.UUID("5f8a4a0c-8c1e-5a56-9a3e-2f5d8a1b7c11")


class Webhook:
    """POST records.

    Parameters
    ----------
    endpoint : Endpoint
    batch : int, default 1
        Most records in a request. With 1 the request is one object; with more it is an array,
        even of one.
    """

    def __init__(self, endpoint: Endpoint, batch: int = 1) -> None:
        self._endpoint, self.batch, self._array = endpoint, batch, batch > 1

    def send(self, records: Sequence[Record]) -> None:
        """Send one request; the same records have the same ``Idempotency-Key`` again."""
        lines = [record.line for record in records]
        if self._array:
            text = f"[{','.join(lines)}]"
            key = str(uuid.uuid5(_KEYS, "\0".join(record.id for record in records)))
            self._endpoint.post(text.encode("ascii"), key)
            return
        for record, line in zip(records, lines, strict=True):
            self._endpoint.post(line.encode("ascii"), record.id)

    def reach(self) -> None:
        """Raise DeliveryError where nobody answers."""
        self._endpoint.reach()

    def close(self) -> None:
        """Do nothing: no connection outlives a request."""
