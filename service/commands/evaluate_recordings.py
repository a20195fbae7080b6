"""``oddcall evaluate recordings``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import click

from oddcall.models.errors import SettingError
from oddcall.service.commands.options import as_json, people, with_settings
from oddcall.service.config.settings import Settings

if TYPE_CHECKING:
    from oddcall.models.model import Model
    from oddcall.training.labels import Label
    from oddcall.training.lake import Source
    from oddcall.training.splits import Fold

_EXAMPLES = """\b
Examples:
  oddcall evaluate recordings --train clean/ --test later/ --labels a.jsonl
  oddcall evaluate recordings --model host.oddcall --test later/
  oddcall evaluate recordings --test lake/ --split host --html report.html
  oddcall evaluate recordings --test lake/ --split program
  oddcall simulate run port-scan --json >> a.jsonl      a label of an attack

\b
Labels: JSON lines, or comma-separated values with a header
  name, start, end   what was done, and when: seconds since the epoch (UTC),
                     or ISO 8601 with an offset
  pid                the process it was done in, with all that it started
  program            without pid: the executable whose processes are meant
  technique, visible, host      optional
  failure            why it was not done to its end: neither found nor missed
"""
_SPLITS = ("time", "host", "program")
#: How often blocks are resampled for the ranges.
_RESAMPLES = 200
_PATH = click.Path(path_type=Path)


@click.command("recordings", epilog=_EXAMPLES)
@click.option(
    "--test", multiple=True, required=True, metavar="DIR", type=_PATH,
    help="Recording to judge, or a folder of them; may be repeated.",
)  # fmt: skip
@click.option(
    "--train", multiple=True, metavar="DIR", type=_PATH,
    help="Clean recording to learn from; may be repeated.",
)  # fmt: skip
@click.option("--model", metavar="FILE", type=_PATH, help="Bundle to judge with, instead.")
@click.option(
    "--split", type=click.Choice(_SPLITS),
    help="Learn from one part of --test and judge the other, instead.",
)  # fmt: skip
@click.option("--labels", metavar="FILE", type=_PATH, help="What was done to the host, and when.")
@click.option("--html", metavar="FILE", type=_PATH, help="Write a page with plots as well.")
@with_settings("budget", "learning.min_windows")
@as_json("Print the figures as JSON.")
def command(
    settings: Settings,
    test: tuple[Path, ...],
    train: tuple[Path, ...],
    model: Path | None,
    split: str | None,
    labels: Path | None,
    html: Path | None,
    json_: bool,
) -> None:
    """Measure what is found, how soon, and at what cost.

    Judges recordings as watch would have, and holds the verdicts against what
    was really done. Without labels everything is taken as clean: what is
    measured then is whether promises are kept.

    An attack counts when a window of it was held against a baseline that may
    alert: others are listed as not judged, and are neither found nor missed.
    Labels that meet no window at all are named.

    --split time learns the first 60 % of the time and judges what is later;
    host judges each host by what the others taught. program asks what it is
    worth on a program that was barely met: of a fifth of the programs at a
    time only the first ten windows are learned, and what comes a minute later
    is judged by programs like them. A program left out whole would be unknown,
    and never alert. Programs with fewer than --min-windows are not judged so.
    """
    from oddcall.models.storage import require_place
    from oddcall.service.evaluation.recordings import evaluate
    from oddcall.service.evaluation.recordings_labels import sentences
    from oddcall.service.evaluation.recordings_text import as_dict, table
    from oddcall.service.screen import Status, open_screen
    from oddcall.service.trust import named_model
    from oddcall.service.upkeep import budgeted
    from oddcall.training.fit import FitSettings
    from oddcall.training.labels import read_labels
    from oddcall.training.recording_figures import separated

    _one_of(train, model, split)
    if html:
        require_place(html)
    told = read_labels(labels) if labels else []
    ready = budgeted(named_model(model, settings.trusted_key), settings) if model else None
    sources, folds, name = _plan(train, test, ready, split, told, settings)
    chosen = FitSettings(
        budget_per_day=settings.budget.per_day, min_windows=settings.learning.min_windows
    )
    with closing(open_screen(people(json_), every_s=2, first_s=2)) as screen:

        def progress(what: str, done: float) -> None:
            screen.show(Status(what, done))

        done = evaluate(sources, told, folds, ready, chosen, settings.alerts, progress)
        progress("measuring", 1.0)
        both = done.judged.clean.any() and done.judged.attacked.any()
        results = separated(done.judged, resamples=_RESAMPLES) if both else {}
    for said in _failed_calls(sources, ready):
        click.echo(fill(said, 80, subsequent_indent="  "), err=json_)
    if json_:
        for sentence in sentences(done.unmatched, done.judged.programs):
            click.echo(f"warning: labels: {sentence}", err=True)
        click.echo(json.dumps(as_dict(done, name, results)))
    else:
        click.echo("\n".join(table(done, name, results)))
    if html:
        from oddcall.service.evaluation.recordings_page import write

        write(html, done, name, results)
        click.echo(f"\nwrote {html}", err=json_)


def _failed_calls(sources: Sequence[Source], model: Model | None) -> list[str]:
    """Warn where what counts as a failed call is not the same in all that meets."""
    from oddcall.service.failed_calls import differing, mixed

    if model:
        told = [differing(model.metadata, s.metadata, str(s.path)) for s in sources]
        return [said for said in told if said]
    said = mixed(sources)
    return [f"warning: {said}"] if said else []


def _one_of(train: Sequence[Path], model: Path | None, split: str | None) -> None:
    given = [flag for flag, value in (("--train", train), ("--model", model), ("--split", split))
             if value]  # fmt: skip
    if len(given) != 1:
        raise SettingError(
            "what is judged needs one thing to be judged by",
            expected="--train, --model or --split",
            got=" and ".join(given) or "none of them",
        )
    # The flag, not the setting: that may stand in a file for others.
    if model and click.get_current_context().params["learning_min_windows"] is not None:
        raise SettingError(
            "--model was trained already, with a --min-windows of its own",
            fix="Leave --min-windows or --model out.",
        )


def _plan(
    train: Sequence[Path],
    test: Sequence[Path],
    model: Model | None,
    split: str | None,
    told: Sequence[Label],
    settings: Settings,
) -> tuple[list[Source], list[Fold], str]:
    """Say what is read, what is learned and judged of it, and how that is called."""
    from oddcall.training import splits
    from oddcall.training.lake import lake, together
    from oddcall.training.program_folds import by_program

    judged = lake(test)
    if model:
        return judged, [splits.by_model(model.metadata, judged)], "by the model given"
    if train:
        learned = lake(train)
        fold = splits.given(learned, judged)
        return together([*learned, *judged]), [fold], "by the recordings given"
    if split == "program":
        folds = by_program(judged, told, settings.learning.min_windows)
    else:
        folds = splits.by_host(judged) if split == "host" else splits.by_time(judged)
    return judged, folds, f"split by {split}"
