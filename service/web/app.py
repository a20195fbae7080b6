"""The page's addresses and what answers each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from oddcall.models.errors import OddcallError, SettingError
from oddcall.service.board.board import SPANS, Board
from oddcall.service.board.picture import program, timeline
from oddcall.service.state import StateDir
from oddcall.service.web.access import COOKIE, Access
from oddcall.service.web.guard import Guard, known, mistake
from oddcall.service.web.records import Records
from oddcall.service.web.stream import Latest, Streams

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
#: Where the page holds how the watch stood when it was asked for; empty as shipped.
_STANDS = b'<script type="application/json" id="stands">'
#: More than any place among the alerts has.
_DIGITS = 19
#: A year: who gave the key once is not asked again.
_COOKIE_S = 365 * 86400


def build(board: Board, access: Access, state: StateDir, closing: Callable[[], bool]) -> Starlette:
    """Build the application.

    Parameters
    ----------
    board : Board
        What it shows.
    access : Access
        Who may see it.
    state : StateDir
        The state directory, where alerts and answers to them are kept.
    closing : callable
        Whether the server is about to end.
    """
    app = _App(board, access, state, closing)
    routes = [
        Route("/", app.page),
        Route("/static/{path:path}", app.static),
        Route("/healthz", app.health),
        Route("/readyz", app.ready),
        Route("/metrics", app.metrics),
        Route("/api/session", app.session, methods=["POST"]),
        Route("/api/state", app.state),
        Route("/api/stream", app.stream),
        Route("/api/timeline", app.timeline),
        Route("/api/alerts", app.alerts),
        Route("/api/alerts/{id}", app.alert),
        Route("/api/feedback", app.feedback, methods=["GET", "POST"]),
        Route("/api/programs/{key}", app.program),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={404: _no_such, 405: _no_such, OddcallError: _told},
    )


class _App:
    """What answers; each answer is made at once, on the server's own thread."""

    def __init__(
        self, board: Board, access: Access, state: StateDir, closing: Callable[[], bool]
    ) -> None:
        self._board, self._access = board, access
        self._records = Records(board, state)
        self._latest = Latest(board, self._records)
        self._streams = Streams(board, self._latest, closing)
        self._static = _shipped()

    async def page(self, request: Request) -> Response:
        """Give the page; for who may see it with how the watch stands, so that it need not ask."""
        page = self._static["index.html"]
        if known(request, self._access):
            # Nothing that a name holds can end the element that it stands in.
            stands = self._latest().replace(b"<", b"\\u003c")
            page = page.replace(_STANDS, _STANDS + stands, 1)
        return Response(page, media_type=_TYPES[".html"])

    async def static(self, request: Request) -> Response:
        """Give a part of the page."""
        name = request.path_params["path"]
        if name not in self._static:
            return mistake(404, f"there is no {request.url.path}")
        kind = _TYPES[Path(name).suffix]
        return Response(self._static[name], media_type=kind, headers={"cache-control": "no-cache"})

    async def session(self, request: Request) -> Response:
        """Take the key, and give a cookie for it."""
        asked = await _asked(request)
        if not self._access.knows(str(asked.get("key", ""))):
            return mistake(403, "that is not the key")
        answer = JSONResponse({"ok": True})
        answer.set_cookie(
            COOKIE, self._access.cookie, _COOKIE_S, httponly=True, samesite="strict", path="/"
        )
        return answer

    async def state(self, _request: Request) -> Response:
        """Give how the watch stands."""
        return Response(self._latest(), media_type="application/json")

    async def stream(self, _request: Request) -> Response:
        """Give how it stands, again and again."""
        if self._streams.full:
            return mistake(503, "too many pages are open", "Close some of them.")
        return self._streams.open()

    async def timeline(self, request: Request) -> Response:
        """Give the host's numbers over time."""
        span = request.query_params.get("span", next(iter(SPANS)))
        if span not in SPANS:
            return mistake(400, f"there is no span {span!r}", f"It is one of {', '.join(SPANS)}.")
        return JSONResponse(timeline(self._board, span))

    async def alerts(self, request: Request) -> Response:
        """Give a page of episodes, the latest first."""
        before = request.query_params.get("before", "")
        if before and not (before.isdecimal() and len(before) < _DIGITS):
            return mistake(400, f"there is no page before {before!r}", "Take what `older` said.")
        program = request.query_params.get("program", "")
        # Beside the server's thread: a history of thousands takes a while to look through.
        asked = partial(self._records.episodes, int(before) if before else None, program)
        return JSONResponse(await asyncio.to_thread(asked))

    async def alert(self, request: Request) -> Response:
        """Give every line of one episode, by its id or by that of a line."""
        word = request.path_params["id"]
        found = self._records.episode(word)
        if found is None:
            return mistake(404, f"there is no alert {word}", "It may be too old to be kept.")
        return JSONResponse(found)

    async def feedback(self, request: Request) -> Response:
        """Give what was said of alerts, or say something."""
        if request.method != "POST":
            return JSONResponse({"given": self._records.given()})
        said = self._records.say(await _asked(request))
        self._board.changed()
        return JSONResponse({"given": said})

    async def program(self, request: Request) -> Response:
        """Give one program's page."""
        found = program(self._board, request.path_params["key"])
        if found is None:
            return mistake(404, "no such program is known now", "It may not have run since.")
        return JSONResponse(found)

    async def health(self, _request: Request) -> Response:
        """Say whether ticks come."""
        if self._board.alive:
            return PlainTextResponse("ok\n")
        silent = f"no tick for {self._board.silent_s:.0f} s\n"
        return PlainTextResponse(silent, 503)

    async def ready(self, _request: Request) -> Response:
        """Say whether it senses, be it to learn or to judge."""
        ready = self._board.tick is not None and self._board.alive
        return PlainTextResponse(f"{self._board.phase}\n", 200 if ready else 503)

    async def metrics(self, _request: Request) -> Response:
        """Give every metric, as Prometheus asks for it."""
        from oddcall.service.metrics import CONTENT_TYPE, exposition

        return Response(exposition(self._board), headers={"content-type": CONTENT_TYPE})


async def _asked(request: Request) -> dict[str, Any]:
    """Read what a request asks for; raises SettingError when it is no JSON object."""
    try:
        asked = json.loads(await request.body())
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise SettingError("the request cannot be read", expected="a JSON object")
    return asked


def _shipped() -> dict[str, bytes]:
    """Read every part of the page: some 150 KB, kept so that no request touches a disk."""
    root = files("oddcall.service.web") / "static"
    found = {f"vendor/{part.name}": part for part in (root / "vendor").iterdir()}
    found |= {part.name: part for part in root.iterdir() if part.is_file()}
    return {name: part.read_bytes() for name, part in found.items()}


async def _no_such(request: Request, _error: Exception) -> Response:
    return mistake(404, f"there is no {request.method} {request.url.path}")


async def _told(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OddcallError)  # noqa: S101  it is registered for these alone
    return mistake(400, f"{error.what}" + (f"; got {error.got}" if error.got else ""), error.fix)
