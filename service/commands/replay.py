"""``oddcall replay``."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Literal

import click

from oddcall.service.commands.options import as_json, people, with_settings
from oddcall.service.settings import Settings

_EXAMPLES = """\b
Examples:
  oddcall replay suspect/ --model host.oddcall
  oddcall replay suspect/ --model host.oddcall --alerts found.jsonl
  oddcall replay kept/ --model host.oddcall --json
"""

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("replay", epilog=_EXAMPLES)
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--model", metavar="FILE", required=True, type=_FILE, help="Bundle to judge with.")
@click.option(
    "--alerts",
    metavar="FILE",
    type=_FILE,
    help="Append alerts as JSON lines; those the file already holds are left out.",
)
@click.option(
    "--feedback",
    type=click.Choice(["then", "now", "never"]),
    default="then",
    show_default=True,
    help="Judge by what people had said when a window began, by what is in force now, or by none.",
)
@with_settings("state_dir")
@as_json("Print the summary as JSON, and no alerts.")
def command(
    settings: Settings,
    recording: Path,
    model: Path,
    alerts: Path | None,
    feedback: Literal["then", "now", "never"],
    json_: bool,
) -> None:
    """Judge a recording as watch would have.

    The same windows give the same alerts, with the same ids. What people said of
    alerts is taken from the state directory.
    """
    from oddcall.models.bundle import load_bundle
    from oddcall.service.answers import lay_over
    from oddcall.service.context import recorded
    from oddcall.service.feedback import Feedback
    from oddcall.service.origin import host_of
    from oddcall.service.replay import check_fit, replay
    from oddcall.service.screen import open_screen
    from oddcall.service.session import open_episodes
    from oddcall.service.sinks.base import Delivery, Sink
    from oddcall.service.sinks.jsonl import JsonLines
    from oddcall.service.sinks.terminal import Terminal
    from oddcall.service.state import StateDir
    from oddcall.training.recording import read_batches, read_metadata

    judge = load_bundle(model)
    metadata = read_metadata(recording)
    check_fit(judge, metadata, recording)
    host = host_of(metadata)
    file = JsonLines(alerts, once=True) if alerts else None
    with closing(open_screen(people(json_), every_s=2)) as screen:
        sinks: list[Sink] = [] if json_ else [Terminal(screen)]
        with closing(Delivery([*sinks, file] if file else sinks, screen.say)) as delivery:
            episodes = open_episodes(judge, host, settings.alerts, recorded(recording))
            if feedback != "never":
                told = Feedback(StateDir(settings.state_dir).feedback)
                lay_over(episodes, told.tolerances(now=feedback == "now"))
            account = replay(read_batches(recording), episodes, delivery, screen)
    already = file.already if file else 0
    if json_:
        click.echo(json.dumps({**account.as_dict(), "already_in_file": already}))
        return
    click.echo(f"{account}" + (f"; {already} lines were in the file already" if already else ""))
