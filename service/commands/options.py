"""Flags that verbs share, and what becomes of them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TextIO

import click

from oddcall.models.durations import parse_duration
from oddcall.models.errors import SettingError
from oddcall.service.config.loading import FLAGS, load
from oddcall.service.config.settings import Settings
from oddcall.service.failure import STATE

#: Where a verb finds what reads its settings again, in the context's ``meta``.
AGAIN = "oddcall.settings again"
_HELP = {
    "state_dir": ("DIR", "Where baselines and recordings are kept."),
    "budget": ("N/day", "Alerts a person is willing to read, such as 1/day or 5/week."),
    "sensor.interval": ("TIME", "Time between two ticks.  [default: 1s]"),
    "sensor.loader": ("NAME", "What loads the program into the kernel: auto, bcc or core."),
    "sensor.simulate_loss_percent": (
        "PERCENT",
        "Leave so many of all processes uncounted, to try what loss looks like.",
    ),
    "learning.duration": ("TIME", "How long to learn at least, without a model.  [default: 10m]"),
    "web.enabled": ("", "Serve the page, or do not.  [default: --web]"),
    "web.port": ("PORT", "Port to serve the page on.  [default: 6332]"),
    "learning.min_windows": (
        "N",
        "Windows a program needs for a baseline of its own.  [default: 40]",
    ),
}


def with_settings(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a verb ``--config`` and the flags of these settings; it is called with ``settings``."""

    def decorate(verb: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(verb)
        def called(config: Path | None, **given: Any) -> object:  # noqa: ANN401  click's values
            flags = {name: given.pop(_parameter(name)) for name in names}

            def read() -> Settings:
                return load(flags, file=config).settings

            context = click.get_current_context()
            known = context.ensure_object(dict)
            if named := flags.get("state_dir"):
                # Before the settings are read: that may be what fails.
                known[STATE] = Path(named).expanduser()
            settings = read()
            context.meta[AGAIN] = read
            known[STATE] = settings.state_dir
            return verb(settings=settings, **given)

        for name in reversed(names):
            metavar, text = _HELP[name]
            kind: dict[str, Any] = {"metavar": metavar} if metavar else {"default": None}
            called = click.option(FLAGS[name], _parameter(name), help=text, **kind)(called)
        return click.option(
            "--config",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="Settings to use instead of /etc/oddcall/oddcall.toml.",
        )(called)

    return decorate


def same_place() -> str:
    """Give the flags of this call that another must repeat to find the same state directory."""
    given = click.get_current_context().params
    flags = {"config": "--config", "state_dir": FLAGS["state_dir"]}
    named = [(flag, given.get(name)) for name, flag in flags.items()]
    return "".join(f" {flag} {shlex.quote(str(value))}" for flag, value in named if value)


def own_behaviours(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb ``--from``: the behaviours of files join those that are simulated."""

    def join(_context: click.Context, _option: click.Parameter, files: tuple[Path, ...]) -> None:
        from oddcall.service.simulate import include

        include(*files)

    return click.option(
        "--from",
        "own",
        metavar="FILE",
        multiple=True,
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=join,
        help="Python with behaviours of your own, which is run; may be repeated.",
    )(verb)


def as_json(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a verb ``--json``."""
    return click.option("--json", "json_", is_flag=True, help=text)


def people(json_: bool) -> TextIO:
    """Choose the stream for people: standard output, unless a machine reads that."""
    return sys.stderr if json_ else sys.stdout


def _parameter(name: str) -> str:
    return name.replace(".", "_")


def duration(text: str, flag: str = "--duration") -> float:
    """Seconds of a flag that is no setting; raises SettingError."""
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise SettingError(
            f"{flag} is not usable", expected="a duration such as 60s or 10m", got=repr(text)
        )
    return seconds
