"""Every setting: its name, what is allowed, what it is when nobody says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

from annotated_types import GroupedMetadata
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from oddcall.service.quantities import Budget, format_duration, parse_duration
from oddcall.service.state import default_state_dir


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
        raise ValueError("a number of alerts per hour, day or week, such as 1/day") from None


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value).strip():
        raise ValueError("a path")
    return Path(value).expanduser()


class _Kind(GroupedMetadata):
    """What pydantic must know of one kind of value: how to read, write and describe it."""

    def __init__(
        self,
        read: Callable[[object], object],
        schema: dict[str, object],
        write: Callable[..., object] | None = None,
    ) -> None:
        self._parts: list[object] = [BeforeValidator(read), WithJsonSchema(schema)]
        if write:
            self._parts.append(PlainSerializer(write, when_used="json"))

    def __iter__(self) -> Iterator[object]:
        """Give the parts."""
        return iter(self._parts)


def _duration(low: float, high: float) -> _Kind:
    schema: dict[str, object] = {"type": "string", "examples": ["10s", "5m", "1h30m"]}
    return _Kind(partial(_seconds, low, high), schema, format_duration)


def _whole(low: int, high: int) -> _Kind:
    return _Kind(partial(_count, low, high), {"type": "integer", "minimum": low, "maximum": high})


def _one_of(*allowed: str) -> _Kind:
    return _Kind(partial(_choice, allowed), {"enum": list(allowed)})


_PATH = _Kind(_path, {"type": "string"}, str)
_BUDGET = _Kind(_budget, {"type": "string", "examples": ["1/day", "5/week", "2/hour"]}, str)
_LOADER = _one_of("auto", "bcc")


class Section(BaseModel):
    """A table of settings; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class SensorSection(Section):
    """How the kernel's counts become windows."""

    interval: Annotated[float, _duration(0.1, 3600)] = Field(
        default=1.0, description="time between two ticks"
    )
    min_events: Annotated[int, _whole(16, 1_000_000)] = Field(
        default=256, description="calls that close a window"
    )
    max_age: Annotated[float, _duration(0.1, 3600)] = Field(
        default=5.0, description="age that closes a window with fewer calls"
    )
    max_processes: Annotated[int, _whole(64, 1_000_000)] = Field(
        default=8192, description="processes tracked at once"
    )
    max_programs: Annotated[int, _whole(16, 100_000)] = Field(
        default=1024, description="programs told apart; the rest share one row"
    )
    loader: Annotated[str, _LOADER] = Field(
        default="auto", description="what loads the program into the kernel"
    )


class LearningSection(Section):
    """When ``watch`` without a model has seen enough."""

    duration: Annotated[float, _duration(1, 30 * 86400)] = Field(
        default=600.0, description="shortest time to learn"
    )
    patience: Annotated[int, _whole(1, 1000)] = Field(
        default=2,
        description="times that duration to wait at most for programs that show too little",
    )
    min_windows: Annotated[int, _whole(10, 1_000_000)] = Field(
        default=40, description="windows a program needs for a baseline of its own"
    )


class AlertSection(Section):
    """How alerting windows become what a person reads."""

    quiet: Annotated[float, _duration(1, 86400)] = Field(
        default=15.0, description="time without an alerting window that closes an episode"
    )
    update: Annotated[float, _duration(1, 86400)] = Field(
        default=60.0, description="time between two updates of an episode that does not change"
    )


class Settings(Section):
    """Everything oddcall can be told."""

    state_dir: Annotated[Path, _PATH] = Field(
        default_factory=default_state_dir, description="where baselines and recordings are kept"
    )
    budget: Annotated[Budget, _BUDGET] = Field(
        default=Budget(1, "day"), description="false alerts per host a person is willing to read"
    )
    sensor: SensorSection = SensorSection()
    learning: LearningSection = LearningSection()
    alerts: AlertSection = AlertSection()
