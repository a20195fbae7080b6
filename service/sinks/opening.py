"""From the settings of sinks to sinks at work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from oddcall.models.errors import OddcallError, StorageError
from oddcall.service.formats import FORMATS
from oddcall.service.formats.native import native
from oddcall.service.sinks.address import FACILITIES
from oddcall.service.sinks.base import Sink
from oddcall.service.sinks.fanout import FanOut
from oddcall.service.sinks.filter import Filter
from oddcall.service.sinks.memory import Memory, Queue
from oddcall.service.sinks.queued import Queued, QueuedSettings
from oddcall.service.sinks.sections import (
    AnySection,
    FileSection,
    JournaldSection,
    NatsSection,
    SlackSection,
    StdoutSection,
    SyslogSection,
    WebhookSection,
    name_of,
)
from oddcall.service.sinks.stream import Through
from oddcall.service.sinks.transport import Transport

#: Folder of the queues, in the state directory.
QUEUES = "queues"
#: Alerts that wait at most for a sink whose queue is not on disk.
IN_MEMORY = 1000


def open_queued(
    sections: Sequence[AnySection],
    state_dir: Path,
    host: Mapping[str, str],
    say: Callable[[str], None],
) -> list[Queued]:
    """Open the sinks of the settings; each goes on with what its queue holds from an earlier run.

    Raises
    ------
    SettingError
        When a sink needs what is not installed.
    InUseError
        When another process uses a queue.
    """
    opened: list[Queued] = []
    try:
        for section in sections:
            # One by one: those before a wrong one are closed again.
            opened.append(_open(section, state_dir / QUEUES, host, say))  # noqa: PERF401
    except OddcallError:
        FanOut(opened).close()
        raise
    return opened


def exchange(
    sinks: FanOut,
    before: Sequence[AnySection],
    after: Sequence[AnySection],
    state_dir: Path,
    host: Mapping[str, str],
    say: Callable[[str], None],
) -> None:
    """Have the sinks of other settings; those whose settings stayed go on untouched.

    Raises
    ------
    OddcallError
        When one could not be closed or opened; the others are in place.
    """
    gone = {name_of(section) for section in before if section not in after}
    fresh = [
        partial(_open, section, state_dir / QUEUES, host, say)
        for section in after
        if section not in before
    ]
    sinks.exchange(gone, fresh)


def open_named(sink: Sink, host: Mapping[str, str], say: Callable[[str], None]) -> Queued:
    """Give a sink that was named by a flag a thread, and a queue that ends with the process."""
    return Queued(sink.name, Through(sink), Memory(IN_MEMORY), host, say)


def unreachable(section: AnySection) -> str:
    """Say why a sink cannot be reached; empty where it can be."""
    try:
        transport = open_transport(section)
        transport.reach()
        transport.close()
    except OddcallError as error:
        return str(error)
    return ""


def open_transport(section: AnySection) -> Transport:
    """Build what carries alerts for a sink; nothing is connected yet."""
    return _BUILDERS[section.type](section)


# What a sink needs is imported when there is such a sink: TLS, HTTP and the like take memory.


def _stdout(_section: StdoutSection) -> Transport:
    from oddcall.service.sinks.stream import Stream

    return Stream(sys.stdout)


def _file(section: FileSection) -> Transport:
    from oddcall.service.sinks.rotating import RotatingFile

    return RotatingFile(section.path, section.max_mb * 1_000_000, section.keep)


def _syslog(section: SyslogSection) -> Transport:
    from oddcall.service.sinks.syslog import Syslog

    facility = FACILITIES[section.facility]
    return Syslog(section.address, facility, section.timeout, section.ca)


def _webhook(section: WebhookSection) -> Transport:
    from oddcall.service.sinks.http import Endpoint
    from oddcall.service.sinks.webhook import Webhook

    headers = {name: secret.value for name, secret in section.headers.items()}
    endpoint = Endpoint(section.url.value, headers, section.timeout, section.ca)
    return Webhook(endpoint, section.batch)


def _slack(section: SlackSection) -> Transport:
    from oddcall.service.sinks.http import Endpoint
    from oddcall.service.sinks.slack import Slack

    return Slack(Endpoint(section.url.value, {}, section.timeout, section.ca))


def _nats(section: NatsSection) -> Transport:
    from oddcall.service.sinks.jetstream import JetStream, Server

    return JetStream(
        Server(
            section.url.value,
            subject=section.subject,
            stream=section.stream,
            token=section.token.value if section.token else "",
            credentials=section.credentials,
            ca=section.ca,
            timeout_s=section.timeout,
        )
    )


def _journald(section: JournaldSection) -> Transport:
    from oddcall.service.sinks.journald import Journald

    return Journald(timeout_s=section.timeout)


_BUILDERS: dict[str, Callable[[Any], Transport]] = {
    "stdout": _stdout,
    "file": _file,
    "syslog": _syslog,
    "webhook": _webhook,
    "slack": _slack,
    "nats": _nats,
    "journald": _journald,
}


def _open(
    section: AnySection, folder: Path, host: Mapping[str, str], say: Callable[[str], None]
) -> Queued:
    # Slack has a shape of its own, made from the native one.
    shape = native if isinstance(section, SlackSection) else FORMATS[section.format]
    wanted = Filter(section.min_severity, section.states, section.programs)
    name, transport = name_of(section), open_transport(section)
    queue = _queue(folder / f"{name}.sqlite", section.queue, say)
    return Queued(name, transport, queue, host, say, QueuedSettings(shape, wanted))


def _queue(path: Path, most: int, say: Callable[[str], None]) -> Queue:
    from oddcall.service.sinks.spool import InUseError, Spool

    try:
        return Spool(path, most, say)
    except InUseError:
        raise
    except StorageError as error:
        say(f"{error} Alerts wait in memory until then.")
        return Memory(min(most, IN_MEMORY))
