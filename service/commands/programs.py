"""``oddcall programs``."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, fields
from textwrap import fill
from typing import Any

import click

from oddcall.models.durations import format_duration
from oddcall.service.commands.options import as_json, same_place, with_settings
from oddcall.service.config.settings import Settings

_EXAMPLES = """\b
Examples:
  oddcall programs
  oddcall programs --state learning --state collecting
  oddcall programs --json
"""
_NOTHING: dict[str, Any] = {"written": None, "model": None, "programs": []}
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

    A watch writes this down every minute and when it ends, and how far a lesson
    is, or was when it was interrupted; how old that is stands below the table.
    Programs that were forgotten come first. A program is known by its path, its
    binary, its unit and its kind of container. Its windows are those that its
    baseline rests on or will rest on: of the first lesson, and those kept since.
    """
    from oddcall.models.window import Program
    from oddcall.service.alerts.alert import iso
    from oddcall.service.learning.lesson import interrupted_in, lesson_in
    from oddcall.service.learning.states import shown, table, told_of, written_ns
    from oddcall.service.naming import shortened
    from oddcall.service.state import StateDir

    state, now_ns = StateDir(settings.state_dir), time.time_ns()
    lesson, left = lesson_in(state), interrupted_in(state)
    # In its first lesson a watch has told of no program yet.
    first = (lesson or left) is not None and not state.programs.exists()
    told = _NOTHING if first else told_of(state.programs)
    known = shown(told)
    rows = [row for row in known if not wanted or row["state"] in wanted]
    then_ns = 0 if first else written_ns(told)
    age_s = max(now_ns - then_ns, 0) / 1e9 if then_ns else None
    if json_:
        learns = asdict(lesson) if lesson else None
        stopped = asdict(left) if left else None
        lessons = {"lesson": learns, "interrupted": stopped}
        click.echo(json.dumps({**told, "age_s": age_s, **lessons, "programs": rows}))
        return
    if lesson:
        before = "How programs stand is known" if first else "What follows is of before:"
        anew = "" if first else " it is written anew"
        click.echo(fill(f"{lesson.told(now_ns)} {before}{anew} once it is over.", 80))
    if left:
        before = "" if first else " What follows is of before it."
        goes_on = f"`oddcall watch{same_place()}` goes on with it."
        said = f"{left.told_interrupted(now_ns)} Nothing is judged by it yet; {goes_on}{before}"
        click.echo(fill(said, 80, break_long_words=False, break_on_hyphens=False))
    if first:
        return
    parts = [field.name for field in fields(Program)]
    programs = [Program(**{part: row[part] for part in parts}) for row in rows]
    lines = table(rows, most, shortened(programs, 24)) if rows else [_none(wanted)]
    click.echo("\n".join(lines))
    counts = {state: sum(row["state"] == state for row in known) for state in _STATES}
    said = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    click.echo(f"\n{said or 'no program'}")
    holder = state.holder()
    by = f"the watch, process {holder}, writes it every minute" if holder else "no watch runs now"
    by = "of before the lesson" if lesson else by
    when = "when it was written is not known"
    if age_s is not None:
        at = iso(then_ns)[:19].replace("T", " ")
        when = f"as of {at} UTC, {format_duration(round(age_s))} ago"
    click.echo(fill(f"{when}; {by}", 80))


def _none(wanted: tuple[str, ...]) -> str:
    return f"No program was {' or '.join(wanted) if wanted else 'known'} when this was written."
