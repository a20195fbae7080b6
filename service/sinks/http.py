"""One HTTP POST: certificates verified, no redirects, and what a status means for delivery."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    build_opener,
)

from oddcall.service.formats.wording import product_version
from oddcall.service.sinks.transport import DeliveryError, RefusedError, undelivered

#: Sending the same again to these hardly helps; any other status may pass.
_REFUSED = {400, 406, 413, 415, 422}
#: Of an answer that says what is wrong.
_SHOWN_BYTES = 200


class _NoRedirect(HTTPRedirectHandler):
    """A redirected POST would go on as a GET, without the alert."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Follow nothing."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to POST.

    Attributes
    ----------
    url : str
        ``http`` or ``https``; never shown whole, as it may hold a secret.
    headers : dict of str
    timeout_s : float, default 10.0
        Of each step of a connection.
    ca : Path or None
        Certificates to trust instead of the system's.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 10.0
    ca: Path | None = None

    @property
    def place(self) -> str:
        """The part of the URL that may be shown."""
        parts = urlsplit(self.url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}"

    def post(self, content: bytes, key: str) -> None:
        """Send JSON; returns once it was taken.

        Raises
        ------
        DeliveryError
            When it was not.
        RefusedError
            When the same would not be taken later either.
        """
        self._ask("POST", content, {"Content-Type": "application/json", "Idempotency-Key": key})

    def reach(self) -> None:
        """Raise DeliveryError where nobody answers; any answer will do."""
        try:
            self._ask("HEAD", None, {})
        except _AnswerError:
            return

    def _ask(self, method: str, content: bytes | None, headers: Mapping[str, str]) -> None:
        every = {"User-Agent": f"oddcall/{product_version()}", **headers, **self.headers}
        # Settings allow nothing but http and https.
        request = Request(self.url, content, every, method=method)  # noqa: S310
        try:
            with _opener(self.ca).open(request, timeout=self.timeout_s) as answer:
                answer.read(_SHOWN_BYTES)
        except HTTPError as error:
            raise _answered(self.place, error) from None
        except (OSError, HTTPException, ValueError) as error:
            _opener.cache_clear()  # the certificates may be others next time
            reason = getattr(error, "reason", error)
            raise undelivered(
                self.place, reason if isinstance(reason, Exception) else error
            ) from None


@lru_cache(maxsize=16)
def _opener(ca: Path | None) -> OpenerDirector:
    """Build what asks; reading the certificates takes longer than most requests."""
    return build_opener(_NoRedirect, HTTPSHandler(context=ssl.create_default_context(cafile=ca)))


class _AnswerError(DeliveryError):
    """Somebody answered, if not as hoped."""


class _RefusalError(_AnswerError, RefusedError):
    """Somebody answered that they will never take it."""


def _answered(place: str, error: HTTPError) -> _AnswerError:
    try:
        said = error.read(_SHOWN_BYTES).decode("utf-8", "replace").strip()
    except (OSError, HTTPException):
        said = ""
    finally:
        error.close()
    shown = "".join(c for c in said if c.isprintable())
    kind = _RefusalError if error.code in _REFUSED else _AnswerError
    return kind(
        f"{place} does not take it",
        got=f"{error.code} {error.reason}" + (f": {shown}" if shown else ""),
        after_s=_wait_s(error.headers.get("Retry-After", "")),
    )


def _wait_s(asked: str) -> float:
    """Seconds that were asked for; a date is not waited for, as clocks differ."""
    return float(asked) if asked.isdigit() else 0.0
