"""``oddcall config``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from oddcall.service.commands.options import as_json
from oddcall.service.config import Loaded, load, setting_names, variable
from oddcall.service.settings import Settings

_EXAMPLES = """\b
Examples:
  oddcall config check
  oddcall config check --config new.toml
  oddcall config show > oddcall.toml
  oddcall config schema
"""

_FILE = click.option(
    "--config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Settings to use instead of /etc/oddcall/oddcall.toml.",
)


@click.group("config", epilog=_EXAMPLES)
def command() -> None:
    """Check and show the settings.

    A setting is built in, or read from the TOML file, or from the environment
    (ODDCALL_SENSOR_INTERVAL for sensor.interval), or given by a flag; the later wins.
    """


@command.command("check")
@_FILE
def check(config: Path | None) -> None:
    """Check every setting; exit code 2 when one cannot be used."""
    told = load(file=config).origin
    click.echo(f"every setting can be used; {len(told)} are not built in")


@command.command("show")
@_FILE
@as_json("Print the settings as JSON.")
def show(config: Path | None, json_: bool) -> None:
    """Print every setting as a TOML file, with what it does and where it came from."""
    loaded = load(file=config)
    values = loaded.settings.model_dump(mode="json")
    click.echo(json.dumps(values, indent=2) if json_ else "\n".join(_toml(loaded)))


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of the settings file."""
    click.echo(json.dumps(Settings.model_json_schema(), indent=2))


def _toml(loaded: Loaded) -> list[str]:
    lines: list[str] = []
    sinks: list[str] = []
    section = ""
    for name in setting_names():
        *path, last = name.split(".")
        if path and path[0] != section:
            section = path[0]
            lines += ["", f"[{section}]"]
        owner = getattr(loaded.settings, path[0]) if path else loaded.settings
        about = type(owner).model_fields[last].description
        value = [] if name == "sinks" else owner.model_dump(mode="json")[last]
        origin = loaded.origin.get(name, f"built in; {variable(name)}")
        if name == "sinks" and loaded.settings.sinks:
            sinks = ["", f"# {about} ({origin})", *_tables(loaded)]
            continue
        lines += [f"# {about} ({origin})", f"{last} = {json.dumps(value)}"]
    return [*lines, *sinks]


def _tables(loaded: Loaded) -> Iterator[str]:
    """Write sinks as the tables they are, which come last in a file."""
    for section in loaded.settings.model_dump(mode="json")["sinks"]:
        yield "[[sinks]]"
        ordered = {"type": section.pop("type"), **section}
        headers = ordered.pop("headers", {})
        for name, value in ordered.items():
            if value is not None:
                yield f"{name} = {json.dumps(value)}"
        for name, value in headers.items():
            yield f"headers.{json.dumps(name)} = {json.dumps(value)}"
        yield ""
