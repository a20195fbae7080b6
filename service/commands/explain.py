"""``oddcall explain``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import click

from oddcall.models.errors import SettingError, reason
from oddcall.service.commands.options import as_json, with_settings
from oddcall.service.config.settings import Settings
from oddcall.service.quantities import counted

if TYPE_CHECKING:
    from oddcall.models.tolerance import Behaviour
    from oddcall.service.alerts.alert import Alert

_EXAMPLES = """\b
Examples:
  oddcall explain last
  oddcall explain 3f2a9c1b
  oddcall explain 3f2a9c1b --alerts found.jsonl    one that replay wrote
  oddcall explain last --json
"""


@click.command("explain", epilog=_EXAMPLES)
@click.argument("alert", metavar="ALERT_ID")
@click.option(
    "--alerts",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="JSON lines to look in, instead of what the watch kept.",
)
@click.option("--all", "all_", is_flag=True, help="Show every line of it in full, oldest first.")
@with_settings("state_dir")
@as_json("Print its lines as JSON.")
def command(settings: Settings, alert: str, alerts: Path | None, all_: bool, json_: bool) -> None:
    """Show all that is known of an alert: how it stands, and its oddest window.

    An alert is named by its id or its episode's, by the first characters of
    one, or by the word last. Shown are the features that its sentence names and
    those that weigh most (eight at most), observed against typical, each
    detector's p-value, the windows of the baseline that are most like it, and
    what was sent of it: an alert that goes on or comes back has several lines.
    Last come calls that none of this names and that feedback tolerate would make
    normal.
    """
    from oddcall.service.alerts.text import explained, summed_up
    from oddcall.service.alerts.tolerated import told, unnamed
    from oddcall.service.board.episodes import folded

    if alerts is None and not json_:
        _tell_lesson(settings)
    lines, did = _kept(settings, alert) if alerts is None else (_written(alerts, alert), [])
    if json_:
        click.echo(json.dumps({"alerts": lines, "tolerates": told(lines, did)}))
        return
    if all_:
        text = "\n".join(map(explained, lines))
    else:
        (episode,) = folded(lines)
        text = summed_up(episode, lines)
    click.echo(text)
    if calls := unnamed(text, lines, did):
        said = f"also new or in unusual numbers, and normal if it is tolerated: {', '.join(calls)}"
        click.echo(fill(said, 80, break_on_hyphens=False))
    if all_:
        return
    if more := len(lines) - 1:
        click.echo(f"{counted(more, 'other line')} of it; --all shows every one in full")


def _tell_lesson(settings: Settings) -> None:
    """Say that a lesson goes on: nothing alerts until it is over, and what is kept is of before."""
    from oddcall.service.learning.lesson import lesson_in
    from oddcall.service.state import StateDir

    if lesson := lesson_in(StateDir(settings.state_dir)):
        said = f"{lesson.told(time.time_ns())} Nothing alerts until it is over."
        click.echo(fill(said, 80), err=True)


def _kept(settings: Settings, word: str) -> tuple[list[Alert], list[Behaviour]]:
    """Give the lines of an episode, oldest first, and what its programs did in it."""
    from oddcall.service.history import History
    from oddcall.service.state import StateDir

    history = History.reading(StateDir(settings.state_dir).history)
    try:
        episode = history.find(word).episode_id
        return [kept.alert for kept in history.episode(episode)], history.behaviours(episode)
    finally:
        history.close()


def _written(path: Path, word: str) -> list[Alert]:
    """Find an episode in a file of alerts in the native format."""
    lines = _lines(path)
    if word == "last":
        # To close is to show nothing.
        showing = [line for line in lines if line["state"] != "close"] or lines
        named = {line["episode_id"] for line in showing[-1:]}
    else:
        named = {
            line["episode_id"]
            for line in lines
            if line["id"].startswith(word) or line["episode_id"].startswith(word)
        }
    if word == "last" and not lines:
        raise SettingError(f"there has been no alert yet: {path} holds none")
    if len(named) != 1:
        alert = "more than one alert" if named else "no alert"
        raise SettingError(
            f"{alert} of {path} is named {word!r}",
            expected="an alert's id, the beginning of one, or last",
            got=f"{len(named)} of that beginning" if named else "",
        )
    return [line for line in lines if line["episode_id"] in named]


def _lines(path: Path) -> list[Alert]:
    """Read the alerts of a file; lines that a crash cut short are passed over."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        read = [_read(line) for line in text.split("\n") if line.strip()]
    except OSError as error:
        raise _no_alerts(path, reason(error)) from error
    found = [line for line in read if line is not None]
    alerts = [line for line in found if {"id", "episode_id", "state"} <= line.keys()]
    if not alerts and len(found) < len(read):
        raise _no_alerts(path, "something else")
    return alerts


def _read(line: str) -> Alert | None:
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _no_alerts(path: Path, got: str) -> SettingError:
    return SettingError(
        f"no alerts can be read from {path}",
        expected="a file of alerts in the native format, as --alerts of watch or replay writes",
        got=got,
    )
