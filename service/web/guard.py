"""In front of every answer: is the visitor one of ours, was it our own page that asked."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oddcall.service.web.access import COOKIE, Access

#: Larger requests than this are nobody's of ours.
LARGEST = 16_384
#: What orchestrators ask, without a key: how it stands in one word.
_OPEN = {"/healthz", "/readyz"}
_HEADERS = {
    # Nothing comes from elsewhere, and nothing that a name in an alert holds can run.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def mistake(status: int, error: str, fix: str = "") -> Response:
    """Answer with what was wrong and what to do."""
    return JSONResponse({"error": error, "fix": fix}, status)


class Guard:
    """ASGI middleware: checks the Host header, the key, and where a change was asked from."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        visitor = HTTPConnection(scope)
        refused = self._refused(visitor, scope["method"])
        await (refused or self._app)(scope, receive, with_headers)

    def _refused(self, visitor: HTTPConnection, method: str) -> Response | None:
        path, headers = visitor.scope["path"], visitor.headers
        if path in _OPEN:
            return None
        host = headers.get("host", "")
        if not self._access.named(host):
            return mistake(
                421,
                f"the name {host!r} is not one of this page's",
                "Use the address itself, or add the name to the setting web.names.",
            )
        if method not in {"GET", "HEAD"} and (wrong := _foreign(headers, host)):
            return wrong
        asks = path.startswith("/api/") or (path == "/metrics" and self._access.guarded)
        if asks and path != "/api/session" and not known(visitor, self._access):
            return mistake(
                401,
                "this page is for who runs the watch, and for whoever has its key",
                "Open the address that `oddcall watch` printed; `oddcall top --address` says it "
                "again. Programs send the header `Authorization: Bearer KEY`.",
            )
        return None


def known(visitor: HTTPConnection, access: Access) -> bool:
    """Whether a visitor may see how the watch stands: by key, by cookie, or as who runs it."""
    given = visitor.headers.get("authorization", "")
    if given.lower().startswith("bearer ") and access.knows(given[7:].strip()):
        return True
    if access.remembers(visitor.cookies.get(COOKIE, "")):
        return True
    server = visitor.scope.get("server")
    return access.owns(visitor.scope.get("client"), tuple(server) if server else None)


def _foreign(headers: Headers, host: str) -> Response | None:
    """Refuse a change that another site's page had a browser ask for."""
    origin = headers.get("origin")
    same = origin is None or origin.split("://", 1)[-1] == host
    if not same or headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return mistake(403, "a change can only be asked for by this page itself")
    # A form of another site cannot send this type without asking first.
    if headers.get("content-type", "").split(";")[0].strip() != "application/json":
        return mistake(415, "a change is asked for in JSON", "Send it as application/json.")
    if int(headers.get("content-length") or LARGEST + 1) > LARGEST:
        return mistake(413, f"a request has at most {LARGEST} bytes, and says how many")
    return None
