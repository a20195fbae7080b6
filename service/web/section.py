"""Settings of the page: where it is served, and who may see it."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo

from oddcall.service.kinds import EMPTY_PATH, SWITCH, Kind, Section, whole
from oddcall.service.sinks.secret import Secret, environ_of, read_secret

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
#: Shorter ones are guessed.
_LEAST_TOKEN = 16


def _host(value: object) -> str:
    try:
        text = "127.0.0.1" if value == "localhost" else str(value)
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("an address of this host, such as 127.0.0.1 or 0.0.0.0") from None


def _names(value: object) -> tuple[str, ...]:
    listed = value.split(",") if isinstance(value, str) else value
    allowed = "host names, such as watch.example.org"
    if not isinstance(listed, list | tuple):
        raise ValueError(allowed)  # noqa: TRY004  pydantic reports ValueError alone
    names = tuple(str(name).strip().lower() for name in listed if str(name).strip())
    if not all(_NAME.fullmatch(name) for name in names):
        raise ValueError(allowed)
    return names


def _token(value: object, info: ValidationInfo) -> Secret | None:
    # A file that `config show` wrote says "" for none.
    if value is None or value == "":
        return None
    found = read_secret(value, environ_of(info))
    if len(found.value) < _LEAST_TOKEN:
        raise ValueError(f"at least {_LEAST_TOKEN} characters; `openssl rand -hex 16` gives some")
    return found


def _written(value: object) -> str:
    return "" if value is None else str(value)


_HOST = Kind(_host, {"type": "string", "examples": ["127.0.0.1", "::1", "0.0.0.0"]})  # noqa: S104  an example
_NAMES = Kind(_names, {"type": "array", "items": {"type": "string"}}, list)
_TOKEN = Kind(_token, {"type": "string", "examples": ["${WATCH_TOKEN}"]}, _written)


class WebSection(Section):
    """Where the page of a running watch is served."""

    enabled: Annotated[bool, SWITCH] = Field(
        default=True, description="serve the page, its API, metrics and health"
    )
    host: Annotated[str, _HOST] = Field(
        default="127.0.0.1", description="address to serve it on; off this host only with a token"
    )
    port: Annotated[int, whole(0, 65535)] = Field(
        default=6332, description="port to serve it on; 0 takes any that is free"
    )
    token: Annotated[Secret | None, _TOKEN] = Field(
        default=None, description="what a visitor must know"
    )
    token_file: Annotated[Path | None, EMPTY_PATH] = Field(
        default=None, description="file that holds the token"
    )
    names: Annotated[tuple[str, ...], _NAMES] = Field(
        default=(), description="names under which visitors may reach it, beside its addresses"
    )

    @property
    def local(self) -> bool:
        """Whether only this host can reach it."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def guarded(self) -> bool:
        """Whether a token is set."""
        return self.token is not None or self.token_file is not None
