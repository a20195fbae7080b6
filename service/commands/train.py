"""``oddcall train``."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import click

from oddcall.service.commands.options import as_json, people, with_settings
from oddcall.service.config.settings import Settings

_EXAMPLES = """\b
Examples:
  oddcall train clean/ -o host.oddcall
  oddcall train monday/ tuesday/ -o host.oddcall --budget 5/week
  oddcall train clean/ -o host.oddcall --sign key.pem
"""


@click.command("train", epilog=_EXAMPLES)
@click.argument(
    "recordings", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Bundle to write.",
)
@click.option(
    "--feedback",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A watch's feedback.jsonl: leave out programs that were to be forgotten.",
)
@click.option(
    "--sign",
    metavar="KEY",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Ed25519 private key, PEM, to sign the bundle by.",
)
@with_settings("budget", "learning.min_windows")
@as_json("Print what was learned as JSON.")
def command(
    settings: Settings,
    recordings: tuple[Path, ...],
    output: Path,
    feedback: Path | None,
    sign: Path | None,
    json_: bool,
) -> None:
    """Learn a baseline from recordings of clean time.

    What the recordings hold is taken as normal. The table shows each program's
    windows, whose baseline judges it, and the false alerts to expect of it.
    """
    from oddcall.models.storage import require_place
    from oddcall.service.feedback import Feedback
    from oddcall.service.learning import summary
    from oddcall.service.learning.train import train
    from oddcall.service.screen import Status, open_screen
    from oddcall.service.trust import key_in
    from oddcall.training.fit import FitSettings

    chosen = FitSettings(
        budget_per_day=settings.budget.per_day, min_windows=settings.learning.min_windows
    )

    # Looked at first: nobody wants to hear of a missing folder or key after an hour of learning.
    require_place(output)
    key = key_in(sign) if sign else None
    forgotten = Feedback(feedback).tolerances(now=True).forgotten if feedback else ()
    left_out = [(program, before_ns) for program, before_ns, _ in forgotten]
    with closing(open_screen(people(json_), every_s=2)) as screen:

        def progress(what: str, done: float) -> None:
            screen.show(Status(what, done))

        model = train(recordings, output, chosen, progress, left_out, key)
    if json_:
        click.echo(json.dumps({"output": str(output), **summary.as_dict(model)}))
        return
    click.echo("\n".join(summary.table(model)))
    click.echo(f"\ntrained on {summary.trained_on(model)}")
    for line in summary.warned(model):
        click.echo(line)
    click.echo(f"saved {output} (model {model.id[:12]})")
