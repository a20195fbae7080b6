"""``oddcall config``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from oddcall.service.commands.options import as_json
from oddcall.service.config.file import shown
from oddcall.service.config.loading import load
from oddcall.service.config.settings import Settings

_EXAMPLES = """\b
Examples:
  oddcall config check
  oddcall config check --config new.toml
  oddcall config show > oddcall.toml
  oddcall config schema
"""

_CHECK = """\b
Examples:
  oddcall config check
  oddcall config check --config new.toml
"""
_SHOW = """\b
Examples:
  oddcall config show > oddcall.toml
  oddcall config show --json
  oddcall config show --built-in
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


@command.command(
    "check",
    epilog=_CHECK,
)
@_FILE
def check(config: Path | None) -> None:
    """Check every setting; exit code 2 when one cannot be used."""
    told = load(file=config).origin
    given = f"{len(told)} given, the rest as built in" if told else "all are as built in"
    click.echo(f"every setting can be used; {given}")


@command.command(
    "show",
    epilog=_SHOW,
)
@_FILE
@click.option("--built-in", is_flag=True, help="Leave the file and the environment out.")
@as_json("Print the settings as JSON.")
def show(config: Path | None, built_in: bool, json_: bool) -> None:
    """Print every setting as a TOML file, with what it does and where it came from."""
    loaded = load(file=Path(os.devnull), environ={}) if built_in else load(file=config)
    values = loaded.settings.model_dump(mode="json")
    click.echo(json.dumps(values, indent=2) if json_ else "\n".join(shown(loaded)))


@command.command("schema", epilog="\b\nExamples:\n  oddcall config schema > oddcall.schema.json\n")
def schema() -> None:
    """Print the JSON Schema of the settings file."""
    # As a file is written, so that what is built in stands there as it would be typed.
    click.echo(json.dumps(Settings.model_json_schema(mode="serialization"), indent=2))
