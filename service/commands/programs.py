"""``oddcall programs``."""

from __future__ import annotations

import json
from dataclasses import fields
from textwrap import fill

import click

from oddcall.service.commands.options import as_json, with_settings
from oddcall.service.config.settings import Settings

_EXAMPLES = """\b
Examples:
  oddcall programs
  oddcall programs --state learning --state collecting
  oddcall programs --json
"""
_STATES = ("collecting", "learning", "ready", "drifting", "stale", "forgotten", "unknown")


@click.command("programs", epilog=_EXAMPLES)
@click.option(
    "--state", "wanted", type=click.Choice(_STATES), multiple=True, help="Only those in it."
)
@click.option(
    "--most", metavar="N", type=click.IntRange(1), default=40, show_default=True,
    help="Rows to show.",
)  # fmt: skip
@with_settings("state_dir")
@as_json("Print them as JSON, all of them.")
def command(settings: Settings, wanted: tuple[str, ...], most: int, json_: bool) -> None:
    """Show how each program stands, why, and since when.

    A watch writes this down every minute and when it ends; a program is known
    by its path, its binary, its unit and its kind of container. Its windows are
    those that its baseline rests on or will rest on: of the first lesson, and
    those kept since.
    """
    from oddcall.models.window import Program
    from oddcall.service.learning.states import table, told_of
    from oddcall.service.naming import shortened
    from oddcall.service.state import StateDir

    told = told_of(StateDir(settings.state_dir).programs)
    rows = [row for row in told["programs"] if not wanted or row["state"] in wanted]
    if json_:
        click.echo(json.dumps({**told, "programs": rows}))
        return
    parts = [field.name for field in fields(Program)]
    programs = [Program(**{part: row[part] for part in parts}) for row in rows]
    lines = table(rows, most, shortened(programs, 24)) if rows else [_none(wanted)]
    click.echo("\n".join(lines))
    counts = {state: sum(row["state"] == state for row in told["programs"]) for state in _STATES}
    said = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    click.echo(f"\n{said or 'no program'}; written {told['written'][:19].replace('T', ' ')} UTC")


def _none(wanted: tuple[str, ...]) -> str:
    what = f"was {' or '.join(wanted)}" if wanted else "was known"
    return fill(
        f"No program {what} when this was written. A running watch writes it anew within a minute: "
        "what changed since is here then.",
        80,
    )
