"""``oddcall simulate``."""

from __future__ import annotations

import json

import click

from oddcall.service.commands.options import as_json

_EXAMPLES = """\b
Examples:
  oddcall simulate list
  oddcall simulate run port-scan
"""


@click.group("simulate", epilog=_EXAMPLES)
def command() -> None:
    """Run a harmless but real behaviour that should be noticed."""


@command.command("list")
@as_json("Print them as JSON.")
def list_(json_: bool) -> None:
    """List the behaviours."""
    from oddcall.service.simulate import behaviours

    found = behaviours()
    if json_:
        keys = ("name", "technique", "summary")
        click.echo(json.dumps([{key: getattr(b, key) for key in keys} for b in found], indent=2))
        return
    width = max(len(behaviour.name) for behaviour in found)
    for behaviour in found:
        click.echo(f"{behaviour.name:<{width}}  {behaviour.technique:<10} {behaviour.summary}")
