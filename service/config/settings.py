"""Every setting: its name, what is allowed, what it is when nobody says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from oddcall.service.kinds import (
    BUDGET,
    EMPTY_PATH,
    PATH,
    SWITCH,
    Section,
    one_of,
    seconds,
    whole,
)
from oddcall.service.quantities import Budget
from oddcall.service.sinks.sections import SINKS
from oddcall.service.state import default_state_dir
from oddcall.service.web.section import WebSection

_LOADER = one_of("auto", "bcc", "core")


class SensorSection(Section):
    """How the kernel's counts become windows."""

    interval: Annotated[float, seconds(0.1, 3600)] = Field(
        default=1.0, description="time between two ticks"
    )
    min_events: Annotated[int, whole(16, 1_000_000)] = Field(
        default=256, description="calls that close a window"
    )
    max_age: Annotated[float, seconds(0.1, 3600)] = Field(
        default=5.0, description="age that closes a window with fewer calls"
    )
    max_processes: Annotated[int, whole(64, 1_000_000)] = Field(
        default=8192, description="processes tracked at once"
    )
    max_programs: Annotated[int, whole(16, 100_000)] = Field(
        default=1024, description="programs told apart; the rest share one row"
    )
    loader: Annotated[str, _LOADER] = Field(
        default="auto", description="what loads the program into the kernel"
    )
    max_cpu_percent: Annotated[int, whole(1, 100)] = Field(
        default=5, description="share of one processor past which the agent looks less often"
    )
    time_kernel_side: Annotated[bool, SWITCH] = Field(
        default=False,
        description="show what the program in the kernel takes; timing it costs more than it does",
    )
    simulate_loss_percent: Annotated[int, whole(0, 100)] = Field(
        default=0, description="share of all processes left without a slot, to see what loss is"
    )


class LearningSection(Section):
    """When ``watch`` without a model has seen enough."""

    duration: Annotated[float, seconds(1, 30 * 86400)] = Field(
        default=600.0, description="shortest time to learn"
    )
    patience: Annotated[int, whole(1, 1000)] = Field(
        default=2,
        description="times that duration to wait at most for programs that show too little",
    )
    min_windows: Annotated[int, whole(10, 1_000_000)] = Field(
        default=40, description="windows a program needs for a baseline of its own"
    )

    again: Annotated[float, seconds(1, 30 * 86400)] = Field(
        default=1800.0, description="least time between two trainings while watching"
    )
    stale: Annotated[float, seconds(60, 3650 * 86400)] = Field(
        default=30 * 86400.0,
        description="time without a window after which a program's baseline is called stale",
    )


class AlertSection(Section):
    """How alerting windows become what a person reads."""

    quiet: Annotated[float, seconds(1, 86400)] = Field(
        default=15.0, description="time without an alerting window that closes an episode"
    )
    update: Annotated[float, seconds(1, 86400)] = Field(
        default=60.0, description="time between two updates of an episode that does not change"
    )
    cooldown: Annotated[float, seconds(0, 86400)] = Field(
        default=86400.0,
        description="time after an episode in which the same comes back as the same alert",
    )
    most_per_hour: Annotated[int, whole(1, 100_000)] = Field(
        default=30,
        description="alerts of a grade, or graver, sent within an hour; critical ones always are",
    )
    history: Annotated[int, whole(100, 1_000_000)] = Field(
        default=10_000, description="lines of alerts kept in the state directory, to be answered"
    )


class Settings(Section):
    """Everything oddcall can be told."""

    state_dir: Annotated[Path, PATH] = Field(
        default_factory=default_state_dir, description="where baselines and recordings are kept"
    )
    budget: Annotated[Budget, BUDGET] = Field(
        default=Budget(1, "day"), description="false alerts per host a person is willing to read"
    )
    trusted_key: Annotated[Path | None, EMPTY_PATH] = Field(
        default=None, description="public key by which every model that is named must be signed"
    )
    sinks: SINKS = Field(default=(), description="where alerts go, beside the screen")
    sensor: SensorSection = SensorSection()
    learning: LearningSection = LearningSection()
    alerts: AlertSection = AlertSection()
    web: WebSection = WebSection()
