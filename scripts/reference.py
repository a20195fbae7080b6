"""Write docs/reference/: the command line, the settings and the alert, from the program itself.

Usage: .venv/bin/python scripts/reference.py [--check]

With ``--check`` nothing is written; the exit code says whether what is there is current.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from oddcall.service.cli import cli
from oddcall.service.config.loading import setting_names, variable
from oddcall.service.config.settings import Settings
from oddcall.service.sinks.sections import SECTIONS, SinkSection

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTE = "<!-- Written by scripts/reference.py: change what it is made of, and run that again. -->\n"
#: Where settings are that a page is made from, so that no page knows who made it.
PLACES = {"state_dir": "/var/lib/oddcall"}


def main() -> int:
    """Write or check every page."""
    pages = {"cli.md": command_line(), "configuration.md": settings(), "alert.md": alert()}
    stale = []
    for name, lines in pages.items():
        text = NOTE + "\n".join(lines).rstrip() + "\n"
        page = FOLDER / name
        if page.is_file() and page.read_text("utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            page.parent.mkdir(exist_ok=True)
            page.write_text(text, "utf-8")
    print(f"{'stale' if '--check' in sys.argv else 'written'}: {', '.join(stale) or 'none'}")
    return 1 if stale and "--check" in sys.argv else 0


def command_line() -> Iterator[str]:
    """Every verb's own help, as it prints it at 80 columns."""
    yield from ("# Command line", "")
    yield "What `--help` of each verb says. Exit codes are the same for all: see the last lines"
    yield from ("of the first.", "")
    for path, command in walk(cli, "oddcall"):
        context = click.Context(
            command, info_name=path, terminal_width=80, **dict(cli.context_settings)
        )
        yield from (f"{'##' if path.count(' ') < 2 else '###'} {path}", "", "```text")
        yield from (line.rstrip() for line in command.get_help(context).splitlines())
        yield from ("```", "")


def walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Give a command and everything below it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from walk(below, f"{path} {name}")


def settings() -> Iterator[str]:
    """Every setting in the order of the file, then those of each kind of sink."""
    yield from ("# Configuration", "")
    yield "One TOML file, `/etc/oddcall/oddcall.toml`; variables of the environment win over it,"
    yield "and flags over both. `oddcall config check` tells every mistake at once, `oddcall config"
    yield "show` what holds and where it came from, `oddcall config schema` its JSON Schema."
    section = None
    for name in setting_names():
        *path, last = name.split(".")
        if path != section:
            section = path
            title = f"`[{path[0]}]`" if path else "At the top"
            yield from ("", f"## {title}", "")
            yield from ("| setting | default | what it is | variable |", "|---|---|---|---|")
        owner = getattr(Settings(), path[0]) if path else Settings()
        value = PLACES.get(name, owner.model_dump(mode="json")[last])
        about = type(owner).model_fields[last].description
        yield f"| `{last}` | {shown(value)} | {about} | `{variable(name)}` |"
    yield from ("", "## `[[sinks]]`", "")
    yield "One table each, told apart by `type`. [Sinks and formats](../sinks.md) explains them."
    common = SinkSection.model_fields
    yield from ("", "### every type", "", *fields(SinkSection, dict(common)))
    for kind, found in SECTIONS.items():
        own = {n: f for n, f in found.model_fields.items() if n not in {*common, "type"}}
        if own:
            yield from ("", f"### `{kind}`", "", *fields(found, own))


def fields(section: type[SinkSection], own: dict[str, Any]) -> Iterator[str]:
    """Rows of a kind of sink."""
    yield from ("| setting | default | what it is |", "|---|---|---|")
    schema = section.model_json_schema(mode="serialization")["properties"]
    for name, field in own.items():
        default = "needed" if field.is_required() else shown(schema[name].get("default"))
        yield f"| `{name}` | {default} | {field.description} |"


def shown(value: object) -> str:
    """Write a value as TOML has it."""
    return "" if value in (None, "", [], {}) else f"`{json.dumps(value)}`"


def alert() -> Iterator[str]:
    """Every field of the native alert, from its schema."""
    schema = json.loads(
        files("oddcall.service.alerts").joinpath("alert.schema.json").read_text("utf-8")
    )
    yield from ("# The native alert", "")
    yield "One JSON object a line. The schema is installed with the package, as"
    yield "`oddcall/service/alerts/alert.schema.json`. Every field is always there; what is not"
    yield "known is `null`. Other formats are made from it: [sinks and formats](../sinks.md)."
    yield ""
    yield from ("| field | type | what it is |", "|---|---|---|")
    yield from rows(schema, schema)


def rows(schema: dict[str, Any], part: dict[str, Any], path: str = "") -> Iterator[str]:
    """Write a row for each property, and below it its own."""
    for name, given in part.get("properties", {}).items():
        known = given
        if "$ref" in given:
            known = {**schema["$defs"][given["$ref"].rpartition("/")[2]], **given}
        yield f"| `{path}{name}` | {kind(known)} | {known.get('description', '')} |"
        yield from rows(schema, known, f"{path}{name}.")
        yield from rows(schema, known.get("items", {}), f"{path}{name}[].")


def kind(known: dict[str, Any]) -> str:
    """Type of a field in words."""
    if "enum" in known:
        return " or ".join(f"`{value}`" for value in known["enum"])
    if "const" in known:
        return f"`{known['const']}`"
    found = known.get("type", "")
    return " or ".join(found) if isinstance(found, list) else str(found)


if __name__ == "__main__":
    sys.exit(main())
