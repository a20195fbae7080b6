"""``oddcall evaluate traces``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oddcall.models.errors import SettingError
from oddcall.service.commands.options import as_json, people
from oddcall.service.evaluation.traces_caveats import warnings
from oddcall.service.evaluation.traces_text import as_dict, table

if TYPE_CHECKING:
    from oddcall.training.figures import Result
    from oddcall.training.traces.attack_kinds import Kind
    from oddcall.training.traces.evaluation import Progress
    from oddcall.training.traces.traces import Split

_EXAMPLES = """\b
Examples:
  oddcall evaluate traces --train clean/ --normal later/ --attack attacks/
  oddcall evaluate traces --train clean/ --attack attacks/
  oddcall evaluate traces --train labelled.csv --detector views
  oddcall evaluate traces --train labelled.csv --normal-label idle
  oddcall evaluate traces --set mit-lpr --detector views --json
  oddcall evaluate traces --set adfa-833
  oddcall evaluate traces --set lid-ds --data CVE-2017-7529/

\b
Sets:
  adfa-833    ADFA-LD, the authors' split
  adfa-ring   ADFA-LD, random split of Ring et al. 2021, mean of five seeds
  mit-lpr     MIT live lpr, split by time
  lid-ds      one scenario of LID-DS 2019 or 2021       (needs --data)
  beth        BETH, one trace a process                 (needs --data)
"""
_SETS = ("adfa-833", "adfa-ring", "mit-lpr", "lid-ds", "beth")
#: How often traces are resampled for the intervals.
_RESAMPLES = 200


@click.command("traces", epilog=_EXAMPLES)
@click.option("--train", metavar="PATH", type=click.Path(path_type=Path), help="Clean traces.")
@click.option(
    "--normal",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Clean traces to judge.  [default: a third of --train, held out]",
)
@click.option(
    "--attack",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Attacks to judge; not needed where traces have labels.",
)
@click.option(
    "--layout",
    type=click.Choice(("auto", "file", "process", "line")),
    default="auto",
    show_default=True,
    help="What is a trace: a file, each process of one (lines of process and call), or each line.",
)
@click.option(
    "--normal-label",
    "normal_labels",
    multiple=True,
    metavar="WORD",
    help="A label of normal traces; may be repeated. All others are of attacks then.",
)
@click.option("--set", "set_", type=click.Choice(_SETS), help="A public data set's own split.")
@click.option(
    "--data",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Where the set is.  [default: below $ODDCALL_DATASETS]",
)
@click.option(
    "--detector", "detectors", multiple=True, metavar="NAME", help="One of them; may be repeated."
)
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a page with plots as well.",
)
@as_json("Print the figures as JSON.")
def command(
    layout: str,
    normal_labels: tuple[str, ...],
    set_: str | None,
    data: Path | None,
    detectors: tuple[str, ...],
    html: Path | None,
    json_: bool,
    **places: Path | None,
) -> None:
    """Tell attacks from normal traces, one score a trace.

    A trace is what a process called, in order, by number or by name, in a text
    file of its own, as what strace printed, or in a table (CSV, JSON). What was
    taken for a trace is said. Detectors learn from the clean traces only.
    --train, --normal and --attack are files, folders or archives (tar, zip),
    packed by gzip or not.
    """
    from oddcall.models.storage import require_place
    from oddcall.service.screen import Status, open_screen
    from oddcall.training.traces.evaluation import DEFAULT, chosen_detectors

    chosen_detectors(detectors)
    if html:
        require_place(html)
    screen = open_screen(people(json_), every_s=5, first_s=2)

    def progress(what: str, done: float) -> None:
        screen.show(Status(what, done))

    try:
        progress("reading traces", 0.0)
        splits = _splits(places, layout, normal_labels, set_, data, progress)
        for text in warnings(splits[0], detectors):
            click.echo(f"warning: {text}", err=True)
        results, kinds = _evaluated(splits, detectors, progress)
    finally:
        screen.close()
    default = DEFAULT if DEFAULT in results else next(iter(results))
    if html:
        from oddcall.service.evaluation.traces_page import write

        write(html, splits, results, kinds, default, detectors)
    if json_:
        click.echo(json.dumps(as_dict(splits, results, kinds, default, detectors)))
        return
    click.echo("\n".join(table(splits, results, kinds, default)))
    if html:
        click.echo(f"\nwrote {html}")


def _splits(
    places: dict[str, Path | None],
    layout: str,
    normal_labels: tuple[str, ...],
    set_: str | None,
    data: Path | None,
    progress: Progress,
) -> list[Split]:
    from oddcall.training.traces.parsing.reading import read_split

    if set_:
        if any(places.values()) or layout != "auto" or normal_labels:
            raise SettingError(
                "--set brings its own traces",
                expected="--set, or --train and --attack",
                got="both",
            )
        return _set(set_, data, progress)
    if data:
        raise SettingError("--data is of a public set", expected="--set NAME with it")
    train = places["train"]
    if train is None:
        raise SettingError(
            "there is nothing to evaluate on",
            expected="--train and --attack, or --set",
            got="no --train",
        )
    return [read_split(train, places["normal"], places["attack"], layout, progress, normal_labels)]


def _set(name: str, data: Path | None, progress: Progress) -> list[Split]:
    from oddcall.training.traces.datasets.beth import beth
    from oddcall.training.traces.datasets.lid_ds import lid_ds
    from oddcall.training.traces.datasets.protocols import PROTOCOLS

    if name in PROTOCOLS:
        return PROTOCOLS[name](data)
    if data is None:
        raise SettingError(f"--set {name} needs --data", expected="the directory of the data")
    if name == "beth" and data.is_file():
        raise SettingError(
            "--set beth is of three files",
            expected="the folder of labelled_training_data.csv and the two others",
            got=f"the file {data}",
            fix=f"Type --set beth --data {data.parent}, or, to go by the labels of this file"
            f" alone, --train {data}",
        )
    return [lid_ds(data, progress) if name == "lid-ds" else beth(data)]


def _evaluated(
    splits: list[Split], names: tuple[str, ...], progress: Progress
) -> tuple[dict[str, Result], dict[str, dict[str, Kind]]]:
    from oddcall.training.figures import mean_result
    from oddcall.training.traces.attack_kinds import by_kind, kinds_of, mean_kinds
    from oddcall.training.traces.evaluation import evaluate

    runs = []
    for i, split in enumerate(splits):

        def scaled(what: str, done: float, i: int = i) -> None:
            progress(what, (i + done) / len(splits))

        runs.append(evaluate(split, names, resamples=_RESAMPLES, progress=scaled))
    kinds = [kinds_of(split.attack.labels, split.kinds) for split in splits]
    found = {
        name: mean_kinds([by_kind(run[name], k) for run, k in zip(runs, kinds, strict=True)])
        for name in runs[0]
    }
    if len(runs) == 1:
        return runs[0], found
    return {name: mean_result([run[name] for run in runs]) for name in runs[0]}, found
