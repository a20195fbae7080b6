"""The state as it changes: server-sent events, one a tick."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from starlette.responses import StreamingResponse

from oddcall.service.board.board import Board
from oddcall.service.board.picture import picture
from oddcall.service.web.records import Records

#: Streams open at once: a page has one.
MOST = 32
#: Between two looks at the board; no eye follows faster.
_LOOK_S = 0.2
#: After this long without news a line goes out all the same: who left is noticed by that.
_BEAT_S = 15.0


class Latest:
    """The state as JSON, made once a change, however many read it."""

    def __init__(self, board: Board, records: Records) -> None:
        self._board, self._records = board, records
        self._version, self._text = -1, b""

    def __call__(self) -> bytes:
        """Give the state."""
        version = self._board.version
        if version != self._version or not self._text:
            shown = {**picture(self._board), "answers": self._records.verbs()}
            self._text = json.dumps(shown, separators=(",", ":"), allow_nan=False).encode()
            self._version = version
        return self._text


class Streams:
    """Every stream of one server.

    Parameters
    ----------
    board : Board
    latest : Latest
    closing : callable
        Whether the server is about to end: streams do not hold it up.
    """

    def __init__(self, board: Board, latest: Latest, closing: Callable[[], bool]) -> None:
        self._board, self._latest, self._closing = board, latest, closing
        self._open = 0

    @property
    def full(self) -> bool:
        """Whether as many are open as there may be."""
        return self._open >= MOST

    def open(self) -> StreamingResponse:
        """Answer with events until the reader leaves."""
        headers = {"x-accel-buffering": "no"}
        return StreamingResponse(self._events(), headers=headers, media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            seen, quiet_s = -1, 0.0
            while not self._closing():
                if self._board.version != seen:
                    seen, quiet_s = self._board.version, 0.0
                    yield b"event: state\ndata: " + self._latest() + b"\n\n"
                elif quiet_s >= _BEAT_S:
                    quiet_s = 0.0
                    yield b": still here\n\n"
                await asyncio.sleep(_LOOK_S)
                quiet_s += _LOOK_S
        finally:
            self._open -= 1
