"""Settings of sinks: one ``[[sinks]]`` table each, told apart by ``type``."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from oddcall.service.alerts.severity import LEVELS
from oddcall.service.formats import FORMATS
from oddcall.service.kinds import OPTIONAL_PATH, PATH, Kind, Section, one_of, seconds, whole
from oddcall.service.sinks.address import FACILITIES, Address
from oddcall.service.sinks.filter import STATES
from oddcall.service.sinks.secret import Secret, optional_secret, secret, secret_url

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SUBJECT = re.compile(r"[^\s.*>]+(\.[^\s.*>]+)*")
_STREAM = re.compile(r"[^\s.*>/\\]+")


def _matching(pattern: re.Pattern[str], allowed: str, value: object) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(allowed)
    return value


def _name(value: object) -> str | None:
    allowed = "a name of small letters, digits, - and _, such as siem"
    return None if value is None else _matching(_NAME, allowed, value)


def _address(value: object) -> Address:
    try:
        return value if isinstance(value, Address) else Address.parse(str(value))
    except ValueError:
        raise ValueError(
            "an address such as udp://host:514, tcp://host:514, tls://host:6514 or unix:///dev/log"
        ) from None


def _some_of(allowed: tuple[str, ...], value: object) -> tuple[str, ...]:
    given = tuple(value) if isinstance(value, list | tuple) else ()
    if not given or not set(given) <= set(allowed):
        raise ValueError(f"a list of one or more of {', '.join(allowed)}")
    return given


def _globs(value: object) -> tuple[str, ...]:
    given = tuple(value) if isinstance(value, list | tuple) else ()
    if not given or not all(isinstance(glob, str) and glob for glob in given):
        raise ValueError('a list of globs, such as ["nginx", "/opt/*"]')
    return given


def _text(pattern: re.Pattern[str], allowed: str) -> Kind:
    return Kind(partial(_matching, pattern, allowed), {"type": "string"})


_TEXTS: dict[str, object] = {"type": "array", "items": {"type": "string"}}
_TIMEOUT = seconds(0.1, 300)
_CA = "certificates to trust instead of the system's"
_STEP = "longest wait for the other side"


class SinkSection(Section):
    """What every sink can be told."""

    name: Annotated[str | None, Kind(_name, {"type": ["string", "null"]})] = Field(
        default=None, description="what to call it; the type by default"
    )
    min_severity: Annotated[str, one_of(*LEVELS)] = Field(
        default=LEVELS[0], description="slightest alerts it gets"
    )
    states: Annotated[tuple[str, ...], Kind(partial(_some_of, STATES), _TEXTS)] = Field(
        default=STATES, description="lines of an episode it gets"
    )
    programs: Annotated[tuple[str, ...], Kind(_globs, _TEXTS)] = Field(
        default=("*",), description="globs of programs, by path or by name, whose alerts it gets"
    )
    queue: Annotated[int, whole(1, 1_000_000)] = Field(
        default=10_000, description="alerts that wait for it on disk at most"
    )


class FormattedSection(SinkSection):
    """A sink whose format can be chosen."""

    format: Annotated[str, one_of(*FORMATS)] = Field(
        default="native", description="shape of an alert"
    )


class StdoutSection(FormattedSection):
    """Lines of JSON on standard output; text for people goes to standard error then."""

    type: Literal["stdout"] = "stdout"


class FileSection(FormattedSection):
    """Lines of JSON in a file that begins anew when it is large."""

    type: Literal["file"] = "file"
    path: Annotated[Path, PATH] = Field(description="the file")
    max_mb: Annotated[int, whole(1, 100_000)] = Field(
        default=100, description="size, in millions of bytes, at which the file begins anew"
    )
    keep: Annotated[int, whole(0, 1000)] = Field(default=5, description="older files kept")


class SyslogSection(FormattedSection):
    """A syslog server (RFC 5424)."""

    type: Literal["syslog"] = "syslog"
    address: Annotated[Address, Kind(_address, {"type": "string"}, str)] = Field(
        description="udp://host:port, tcp://host:port, tls://host:port or unix:///path"
    )
    facility: Annotated[str, one_of(*FACILITIES)] = Field(
        default="daemon", description="facility of its messages"
    )
    timeout: Annotated[float, _TIMEOUT] = Field(default=10.0, description=_STEP)
    ca: Annotated[Path | None, OPTIONAL_PATH] = Field(default=None, description=_CA)


class WebhookSection(FormattedSection):
    """An HTTP server that takes JSON."""

    type: Literal["webhook"] = "webhook"
    url: Annotated[Secret, secret_url("https", "http")] = Field(description="where to POST")
    headers: dict[
        Annotated[str, _text(_HEADER, "a name of a header")], Annotated[Secret, secret()]
    ] = Field(default_factory=dict, description="headers of a request")
    batch: Annotated[int, whole(1, 1000)] = Field(
        default=1, description="alerts in a request at most; above 1 it is an array"
    )
    timeout: Annotated[float, _TIMEOUT] = Field(default=10.0, description=_STEP)
    ca: Annotated[Path | None, OPTIONAL_PATH] = Field(default=None, description=_CA)


class SlackSection(SinkSection):
    """A webhook of Slack, or of what takes the same (Mattermost, Rocket.Chat)."""

    type: Literal["slack"] = "slack"
    url: Annotated[Secret, secret_url("https", "http")] = Field(description="the webhook")
    timeout: Annotated[float, _TIMEOUT] = Field(default=10.0, description=_STEP)
    ca: Annotated[Path | None, OPTIONAL_PATH] = Field(default=None, description=_CA)


class NatsSection(FormattedSection):
    """A stream of NATS JetStream."""

    type: Literal["nats"] = "nats"
    url: Annotated[Secret, secret_url("nats", "tls")] = Field(description="the server")
    subject: Annotated[str, _text(_SUBJECT, "a subject such as oddcall.alerts")] = Field(
        default="oddcall.alerts", description="subject to publish under"
    )
    stream: Annotated[str, _text(_STREAM, "a name of a stream such as ODDCALL")] = Field(
        default="ODDCALL", description="stream to make where none takes the subject"
    )
    token: Annotated[Secret | None, optional_secret()] = Field(default=None, description="token")
    credentials: Annotated[Path | None, OPTIONAL_PATH] = Field(
        default=None, description="file of a user's JWT and key"
    )
    timeout: Annotated[float, _TIMEOUT] = Field(default=10.0, description=_STEP)
    ca: Annotated[Path | None, OPTIONAL_PATH] = Field(default=None, description=_CA)


class JournaldSection(FormattedSection):
    """The journal of systemd."""

    type: Literal["journald"] = "journald"
    timeout: Annotated[float, _TIMEOUT] = Field(default=10.0, description=_STEP)


AnySection = (
    StdoutSection
    | FileSection
    | SyslogSection
    | WebhookSection
    | SlackSection
    | NatsSection
    | JournaldSection
)
SECTIONS: dict[str, type[SinkSection]] = {
    "stdout": StdoutSection,
    "file": FileSection,
    "syslog": SyslogSection,
    "webhook": WebhookSection,
    "slack": SlackSection,
    "nats": NatsSection,
    "journald": JournaldSection,
}


def name_of(section: AnySection) -> str:
    """Name a sink: its own name, else its type."""
    return section.name or section.type


def _listed(value: object) -> object:
    """Read the variable, which holds JSON; a file holds tables."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if isinstance(value, list | tuple):
        return value
    raise ValueError("[[sinks]] tables, or in the variable a JSON array of objects")


def _told_apart(sections: tuple[AnySection, ...]) -> tuple[AnySection, ...]:
    names = [name_of(section) for section in sections]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"a name of its own for each sink, not {', '.join(twice)} twice")
    outputs = sum(section.type == "stdout" for section in sections)
    if outputs > 1:
        raise ValueError("one sink on standard output at most")
    return sections


SINKS = Annotated[
    tuple[Annotated[AnySection, Field(discriminator="type")], ...],
    BeforeValidator(_listed),
    AfterValidator(_told_apart),
]
