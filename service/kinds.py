"""Kinds of values that settings have: how each is read, written and described.

What cannot be read is refused with a ValueError that says what is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from annotated_types import GroupedMetadata
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from oddcall.models.durations import format_duration, parse_duration
from oddcall.service.quantities import BUDGETS, Budget


def _seconds(low: float, high: float, value: object) -> float:
    allowed = f"a duration from {format_duration(low)} to {format_duration(high)}, such as 10s"
    if isinstance(value, float) and low <= value <= high:
        return value
    try:
        seconds = parse_duration(value) if isinstance(value, str) else -1.0
    except ValueError:
        raise ValueError(allowed) from None
    if not low <= seconds <= high:
        raise ValueError(allowed)
    return seconds


def _count(low: int, high: int, value: object) -> int:
    allowed = f"a whole number from {low} to {high}"
    try:
        number = int(value) if isinstance(value, int | str) else low - 1
    except ValueError:
        raise ValueError(allowed) from None
    if isinstance(value, bool) or not low <= number <= high:
        raise ValueError(allowed)
    return number


def _choice(allowed: tuple[str, ...], value: object) -> str:
    if value not in allowed:
        raise ValueError("one of " + ", ".join(allowed))
    return str(value)


def _budget(value: object) -> Budget:
    try:
        return value if isinstance(value, Budget) else Budget.parse(str(value))
    except ValueError:
        raise ValueError(BUDGETS) from None


def _switch(value: object) -> bool:
    # As TOML writes it, and as a variable of the environment can.
    known = {True: True, False: False, "true": True, "false": False}
    if not isinstance(value, bool | str) or value not in known:
        raise ValueError("true or false")
    return known[value]


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value).strip():
        raise ValueError("a path")
    return Path(value).expanduser()


def _path_or_none(value: object) -> Path | None:
    return None if value is None else _path(value)


def _path_or_empty(value: object) -> Path | None:
    # A file that `config show` wrote says "" for none.
    return None if value is None or value == "" else _path(value)


class Kind(GroupedMetadata):
    """What pydantic must know of one kind of value: how to read, write and describe it."""

    def __init__(
        self,
        read: Callable[..., object],
        schema: dict[str, object],
        write: Callable[..., object] | None = None,
    ) -> None:
        self._parts: list[object] = [BeforeValidator(read), WithJsonSchema(schema)]
        if write:
            self._parts.append(PlainSerializer(write, when_used="json"))

    def __iter__(self) -> Iterator[object]:
        """Give the parts."""
        return iter(self._parts)


def seconds(low: float, high: float) -> Kind:
    """Allow a duration between two bounds, in seconds."""
    schema: dict[str, object] = {"type": "string", "examples": ["10s", "5m", "1h30m"]}
    return Kind(partial(_seconds, low, high), schema, format_duration)


def whole(low: int, high: int) -> Kind:
    """Allow a whole number between two bounds."""
    return Kind(partial(_count, low, high), {"type": "integer", "minimum": low, "maximum": high})


def one_of(*allowed: str) -> Kind:
    """Allow one of some words."""
    return Kind(partial(_choice, allowed), {"enum": list(allowed)})


PATH = Kind(_path, {"type": "string"}, str)
#: For what need not be given.
OPTIONAL_PATH = Kind(
    _path_or_none, {"type": ["string", "null"]}, lambda path: None if path is None else str(path)
)
#: The same where a whole file of settings names it all the same.
EMPTY_PATH = Kind(
    _path_or_empty, {"type": "string"}, lambda path: "" if path is None else str(path)
)
SWITCH = Kind(_switch, {"type": "boolean"})
BUDGET = Kind(_budget, {"type": "string", "examples": ["1/day", "5/week", "2/hour"]}, str)


class Section(BaseModel):
    """A table of settings; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
