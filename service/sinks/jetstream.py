"""Records into a stream of NATS JetStream, which tells a second delivery by its id.

Each batch has a connection of its own: alerts are few, and a connection nobody serves
between two of them goes stale.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from oddcall.models.errors import SettingError
from oddcall.service.sinks.transport import Record, RefusedError, undelivered

if TYPE_CHECKING:
    from nats.js import JetStreamContext

#: Longest time to end a connection in order.
_FAREWELL_S = 1.0


@dataclass(frozen=True, slots=True)
class Server:
    """A NATS server and the stream that takes the alerts.

    Attributes
    ----------
    url : str
        ``nats://host:4222`` or ``tls://``; may hold a user and a password.
    subject : str, default "oddcall.alerts"
    stream : str, default "ODDCALL"
        Made, with the server's defaults, where no stream takes the subject yet.
    token : str, default ""
    credentials : Path or None
        File of a user's JWT and key.
    ca : Path or None
        Certificates to trust instead of the system's.
    timeout_s : float, default 10.0
    """

    url: str
    subject: str = "oddcall.alerts"
    stream: str = "ODDCALL"
    token: str = ""
    credentials: Path | None = None
    ca: Path | None = None
    timeout_s: float = 10.0

    @property
    def place(self) -> str:
        """The part of the URL that may be shown."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}:{parts.port or 4222}"


class JetStream:
    """Publish records to a stream, each with its id as ``Nats-Msg-Id``.

    Raises
    ------
    SettingError
        When nats-py is not installed.
    """

    batch = 100

    def __init__(self, server: Server) -> None:
        try:
            import nats  # noqa: F401
        except ImportError as error:
            raise SettingError(
                "the nats sink needs nats-py", fix="Type: pip install 'oddcall[nats]'"
            ) from error
        self._server = server
        self._cause: Exception | None = None

    def send(self, records: Sequence[Record]) -> None:
        """Publish records; returns once the stream has stored all of them."""
        asyncio.run(self._within(self._publish(records)))

    def reach(self) -> None:
        """Raise DeliveryError where no server with JetStream answers."""
        asyncio.run(self._within(self._look()))

    def close(self) -> None:
        """Do nothing: no connection outlives a batch."""

    async def _within(self, step: Coroutine[None, None, None]) -> None:
        """Do a step in the time there is, and turn what goes wrong into one sentence."""
        from nats import errors

        try:
            # Connecting, looking the stream up and publishing have the time each.
            await asyncio.wait_for(step, 3 * self._server.timeout_s)
        except errors.MaxPayloadError as error:
            raise RefusedError(f"{self._server.place} does not take it", got=str(error)) from None
        except (errors.Error, OSError) as error:
            raise undelivered(self._server.place, self._cause or error) from None

    async def _publish(self, records: Sequence[Record]) -> None:
        async with self._stream() as stream:
            await self._ensure(stream)
            subject, wait_s = self._server.subject, self._server.timeout_s
            await asyncio.gather(
                *(
                    stream.publish(
                        subject,
                        record.line.encode("ascii"),
                        timeout=wait_s,
                        headers={"Nats-Msg-Id": record.id, "Content-Type": "application/json"},
                    )
                    for record in records
                )
            )

    async def _look(self) -> None:
        async with self._stream() as stream:
            await stream.account_info()

    async def _ensure(self, stream: JetStreamContext) -> None:
        """Make the stream where none takes the subject."""
        from nats.js.errors import NotFoundError

        try:
            await stream.find_stream_name_by_subject(self._server.subject)
        except NotFoundError:
            await stream.add_stream(name=self._server.stream, subjects=[self._server.subject])

    @asynccontextmanager
    async def _stream(self) -> AsyncIterator[JetStreamContext]:
        from nats.aio.client import Client

        server, way = self._server, Client()
        self._cause = None
        secure = ssl.create_default_context(cafile=server.ca) if self._tls else None
        try:
            await way.connect(
                server.url,
                name="oddcall",
                allow_reconnect=False,
                # Two tries at once: trying again later is done elsewhere.
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=math.ceil(server.timeout_s),
                error_cb=self._note,
                tls=secure,
                token=server.token or None,
                user_credentials=str(server.credentials) if server.credentials else None,
            )
            yield way.jetstream(timeout=server.timeout_s)
        finally:
            # After a failed handshake the client waits for an end that never comes.
            with suppress(TimeoutError):
                await asyncio.wait_for(way.close(), _FAREWELL_S)

    @property
    def _tls(self) -> bool:
        return urlsplit(self._server.url).scheme == "tls"

    async def _note(self, error: Exception) -> None:
        """Keep what went wrong first: what follows, and what the client raises, say less."""
        self._cause = self._cause or error
