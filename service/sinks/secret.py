"""Texts that may hold a secret: taken from the environment, and not shown."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from pydantic import ValidationInfo

from oddcall.service.kinds import Kind

HIDDEN = "(hidden)"
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
#: Such as ``Bearer ${TOKEN}``: nothing of it is secret.
_ONLY_REFERENCES = re.compile(r"([A-Za-z]+ )?(\$\{\w+\})+")
_SCHEMA: dict[str, object] = {"type": "string", "examples": ["${TOKEN}"]}


@dataclass(frozen=True, slots=True)
class Secret:
    """A text as it was written, and what it stands for.

    Attributes
    ----------
    shown : str
        What may be shown: references to the environment are, other values are hidden.
    value : str
        The secret itself.
    """

    shown: str
    value: str = field(repr=False)

    def __str__(self) -> str:
        return self.shown


def secret() -> Kind:
    """Allow a text, which is hidden."""
    return _kind(_any, _hidden)


def optional_secret() -> Kind:
    """Allow a text, which is hidden, or nothing."""

    def read(value: object, info: ValidationInfo) -> Secret | None:
        return None if value is None else _read(_any, _hidden, value, environ_of(info))

    schema = {**_SCHEMA, "type": ["string", "null"]}
    return Kind(read, schema, lambda found: None if found is None else str(found))


def secret_url(*schemes: str) -> Kind:
    """Allow a URL of some schemes, of which what may be secret is hidden."""
    return _kind(partial(_url, schemes), _hidden_url)


def read_secret(value: object, environ: Mapping[str, str]) -> Secret:
    """Read a text that is hidden; raises ValueError that says what is allowed."""
    return _read(_any, _hidden, value, environ)


def references(value: object) -> set[str]:
    """Name the variables that a value, or what it holds, takes texts from as ``${NAME}``."""
    return set(_REFERENCE.findall(str(value)))


def environ_of(info: ValidationInfo) -> Mapping[str, str]:
    """Give the environment that settings are read with."""
    given = (info.context or {}).get("environ")
    return os.environ if given is None else given


def _kind(check: Callable[[str], None], hide: Callable[[str], str]) -> Kind:
    def read(value: object, info: ValidationInfo) -> Secret:
        return _read(check, hide, value, environ_of(info))

    return Kind(read, _SCHEMA, str)


def _read(
    check: Callable[[str], None],
    hide: Callable[[str], str],
    value: object,
    environ: Mapping[str, str],
) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("a text, or ${NAME} of a variable")
    if HIDDEN in value:
        raise ValueError(f"the value itself where `config show` wrote {HIDDEN}")
    missing = sorted({name for name in _REFERENCE.findall(value) if not environ.get(name)})
    if missing:
        raise ValueError(f"the variable {', '.join(missing)} to be set")
    full = _REFERENCE.sub(lambda found: environ[found[1]], value)
    if not all(" " <= c <= "~" for c in full):
        raise ValueError("printable ASCII")
    check(full)
    return Secret(hide(value), full)


def _any(_text: str) -> None:
    """Check nothing."""


def _url(schemes: tuple[str, ...], text: str) -> None:
    allowed = f"a URL with {' or '.join(f'{scheme}://' for scheme in schemes)} and a host"
    try:
        parts = urlsplit(text)
        found = parts.scheme in schemes and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        found = None
    if not found or " " in text:
        raise ValueError(allowed)


def _hidden(text: str) -> str:
    return text if _ONLY_REFERENCES.fullmatch(text) else HIDDEN


def _hidden_url(text: str) -> str:
    """Hide a password, and whatever follows the host: hooks have their secret in the path."""
    if _REFERENCE.search(text):
        return text
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2]
    user = f"{HIDDEN}@" if "@" in parts.netloc else ""
    rest = HIDDEN if parts.query or parts.path.strip("/") else ""
    return f"{parts.scheme}://{user}{host}" + (f"/{rest}" if rest else parts.path)
