"""The settings as a TOML file: what holds and where it came from, or a template to fill in."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from oddcall.service.config.loading import Loaded, setting_names, variable
from oddcall.service.config.settings import Settings

_HEAD = """\
Settings of oddcall. What is commented out is built in, as it is written here. A variable of
the environment (ODDCALL_SENSOR_INTERVAL for sensor.interval) wins over this file, and a flag
over both. `oddcall config check` says what cannot be used, `oddcall config show` what holds."""
_SINK = """\
One table like this for each place that alerts go to; docs/sinks.md has every kind.
[[sinks]]
type = "file"
path = "/var/log/oddcall/alerts.jsonl"

[[sinks]]
type = "syslog"
address = "udp://siem.example.com:514"
format = "ocsf"
min_severity = "medium\""""
_WIDTH = 100


def shown(loaded: Loaded) -> Iterator[str]:
    """Write every setting as it holds, with what it does and where it came from."""
    for name, value, about in _settings(loaded.settings):
        origin = loaded.origin.get(name, f"built in; {variable(name)}")
        yield from _section(name)
        yield f"# {about} ({origin})"
        if value is None:
            yield f"# {_last(name)} is not given"
        elif name != "sinks":
            yield f"{_last(name)} = {json.dumps(value)}"
        elif not value:
            yield "sinks = []"
        else:
            yield "# (in the tables at the end)"
    yield from _tables(loaded)


def template() -> str:
    """Write a file that changes nothing: every setting, commented out, with what it does."""
    lines = [f"# {line}" for line in _HEAD.splitlines()]
    last = ""
    for name, value, about in _settings(Settings()):
        if name == "sinks":
            continue
        section = name.rpartition(".")[0]
        lines += ["", *([f"[{section}]"] if section and section != last else [])]
        last = section
        lines += textwrap.wrap(about, _WIDTH, initial_indent="# ", subsequent_indent="# ")
        # A token that is not given has no value to show.
        lines.append(f"#{_last(name)} = {json.dumps('' if value is None else value)}")
    lines += ["", *(f"# {line}".rstrip() for line in _SINK.splitlines())]
    return "\n".join(lines) + "\n"


def _settings(settings: Settings) -> Iterator[tuple[str, Any, str]]:
    """Name, value and description of each, in the order of a file."""
    for name in setting_names():
        *path, last = name.split(".")
        owner = getattr(settings, path[0]) if path else settings
        value = owner.model_dump(mode="json")[last]
        yield name, value, type(owner).model_fields[last].description or ""


def _section(name: str) -> Iterator[str]:
    section, _, last = name.rpartition(".")
    if section and last == next(iter(type(getattr(Settings(), section)).model_fields)):
        yield from ("", f"[{section}]")


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _tables(loaded: Loaded) -> Iterator[str]:
    """Write sinks as the tables they are, which come last in a file."""
    for section in loaded.settings.model_dump(mode="json")["sinks"]:
        yield from ("", "[[sinks]]")
        ordered = {"type": section.pop("type"), **section}
        headers = ordered.pop("headers", {})
        for name, value in ordered.items():
            if value is not None:
                yield f"{name} = {json.dumps(value)}"
        for name, value in headers.items():
            yield f"headers.{json.dumps(name)} = {json.dumps(value)}"
