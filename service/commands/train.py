"""``oddcall train``."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import click

from oddcall.models.errors import SettingError
from oddcall.service.commands.options import as_json, people, with_settings
from oddcall.service.config.settings import Settings

if TYPE_CHECKING:
    from oddcall.service.learning.train import Forgotten

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
    windows, whose baseline judges it, how far its evidence reaches, and the
    false alerts to expect of it.
    """
    from oddcall.models.storage import require_place
    from oddcall.service.learning import summary
    from oddcall.service.learning.train import train
    from oddcall.service.screen import Status, open_screen
    from oddcall.service.trust import signing_key_in
    from oddcall.training.fit import FitSettings

    chosen = FitSettings(
        budget_per_day=settings.budget.per_day, min_windows=settings.learning.min_windows
    )

    # Looked at first: nobody wants to hear of a missing folder or key after an hour of learning.
    require_place(output)
    key = signing_key_in(sign) if sign else None
    forgotten = _forgotten(feedback)
    with closing(open_screen(people(json_), every_s=2, first_s=2)) as screen:

        def progress(what: str, done: float) -> None:
            screen.show(Status(what, done))

        model = train(recordings, output, chosen, progress, forgotten, key)
    if json_:
        told = {"output": str(output), **summary.as_dict(model), "left_out": forgotten.as_dict()}
        click.echo(json.dumps(told))
        return
    click.echo("\n".join(summary.table(model)))
    click.echo(f"\n{fill(f'trained on {summary.trained_on(model)}', 80)}")
    if feedback:
        click.echo(f"left out: {forgotten}")
    for line in summary.warned(model):
        click.echo(line)
    click.echo(f"saved {output} (model {model.id[:12]})")


def _forgotten(path: Path | None) -> Forgotten:
    """Read what is to be left out; a file that is not there would leave out nothing, unseen."""
    from oddcall.models.tolerance import NEVER
    from oddcall.service.feedback import Feedback
    from oddcall.service.learning.train import Forgotten
    from oddcall.service.state import StateDir

    if path is None:
        return Forgotten()
    if not path.exists():
        raise SettingError(
            f"there is no feedback in {path}",
            expected="the feedback.jsonl of a watch's state directory",
            got="nothing of that name",
        )
    feedback = Feedback(path)
    given = feedback.given()
    if path.stat().st_size and not given:
        raise SettingError(
            f"{path} holds no answer to an alert",
            expected="the feedback.jsonl of a watch's state directory",
            got="something else",
        )
    told = feedback.tolerances(now=True, given=given).forgotten
    return Forgotten(
        [(program, before_ns) for program, before_ns, span in told if span != NEVER],
        feedback.tolerances(given=given),
        StateDir(path.parent).newcomers,
    )
