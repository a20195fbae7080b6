"""``oddcall evaluate live``."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from oddcall.models.errors import SettingError
from oddcall.service.commands.options import as_json, duration, own_behaviours, people

if TYPE_CHECKING:
    from oddcall.service.trial.trial import Plan

_EXAMPLES = """\b
Examples:
  oddcall evaluate live                        half an hour in all, as root
  oddcall evaluate live --learn 2m --watch 1m --behaviour port-scan
  oddcall evaluate live --workload redis --workload compile --keep trial/
  oddcall evaluate live --from mine.py         behaviours of your own
  oddcall evaluate live --json > trial.json
"""


class _Live(click.Command):
    """Looks for the workloads only once its help is asked for: what they need takes time."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from oddcall.service.trial.catalogue import WORKLOADS

        with formatter.section("Workloads"):
            formatter.write_dl([(workload.name, workload.summary) for workload in WORKLOADS])
        super().format_epilog(ctx, formatter)


@click.command("live", cls=_Live, epilog=_EXAMPLES)
@click.option(
    "--learn", default="10m", show_default=True, metavar="TIME", help="How long to learn."
)
@click.option(
    "--watch",
    default="10m",
    show_default=True,
    metavar="TIME",
    help="How long to watch ordinary work before anything misbehaves.",
)
@click.option("--budget", default="1/day", show_default=True, metavar="N/day")
@click.option(
    "--behaviour",
    "behaviours",
    multiple=True,
    metavar="NAME",
    help="One of `simulate list`; may be repeated.  [default: all of them; with --from, those of "
    "the files]",
)
@own_behaviours
@click.option(
    "--workload",
    "workloads",
    multiple=True,
    metavar="NAME",
    help="One of those below, beside the web server; may be repeated.  [default: all of them]",
)
@click.option(
    "--via",
    type=click.Choice(["server", "python"]),
    default="server",
    show_default=True,
    help="Whose process misbehaves: the web server's, or new ones of Python.",
)
@click.option(
    "--keep",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the model, the recordings, the alerts and the report in a new folder.",
)
@click.option(
    "--adversary",
    is_flag=True,
    help="Then try to go unnoticed as well: diluted, dripping, drifting. (15 minutes more)",
)
@as_json("Print the figures as JSON.")
def command(keep: Path | None, adversary: bool, json_: bool, **asked: Any) -> None:  # noqa: ANN401  click's values
    """Try oddcall on this host: ordinary work, then misbehaviour.

    Starts servers and chores, learns them, watches them for false alerts, then
    misbehaves in every way of `oddcall simulate list` and sees what is noticed.
    All of it is real and harmless; all that was started is ended.

    What --keep keeps can be judged again, by this version: `oddcall evaluate
    recordings --train DIR/state/learning --test DIR/state/kept --labels
    DIR/labels.jsonl`.
    """
    from oddcall.service.screen import open_screen
    from oddcall.service.trial.adversary import Hidden, try_adversary
    from oddcall.service.trial.report import Report
    from oddcall.service.trial.trial import Course, run

    with _folder(keep) as folder:
        plan = _plan(folder, **asked)
        with closing(open_screen(people(json_))) as screen:
            hidden: list[Hidden] = []

            def more(course: Course) -> None:
                if adversary:
                    hidden.extend(try_adversary(course, plan, screen))

            report = Report.of(plan, run(plan, screen, more), hidden)
            (folder / "report.json").write_text(json.dumps(report.as_dict(), indent=2))
        click.echo(json.dumps(report.as_dict()) if json_ else "\n".join(report.lines()))


def _plan(
    folder: Path,
    learn: str,
    watch: str,
    budget: str,
    behaviours: tuple[str, ...],
    workloads: tuple[str, ...],
    via: str,
) -> Plan:
    from oddcall.service.simulate.catalogue import behaviours as all_behaviours
    from oddcall.service.simulate.catalogue import named, own
    from oddcall.service.trial.catalogue import chosen
    from oddcall.service.trial.trial import Plan

    return Plan(
        folder=folder,
        workloads=chosen(workloads),
        behaviours=[named(name) for name in behaviours] or own() or all_behaviours(),
        learn_s=duration(learn, "--learn"),
        watch_s=duration(watch, "--watch"),
        budget=_budget(budget),
        via="python" if via == "python" else None,
    )


def _budget(text: str) -> str:
    from oddcall.service.quantities import BUDGETS, Budget

    try:
        Budget.parse(text)
    except ValueError:
        raise SettingError("--budget is not usable", expected=BUDGETS, got=text) from None
    return text


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Make the trial's folder: a new one to keep, or a temporary one."""
    if keep is None:
        with tempfile.TemporaryDirectory(
            prefix="oddcall-trial-", ignore_cleanup_errors=True
        ) as temporary:
            yield Path(temporary)
        return
    if keep.exists() and any(keep.iterdir()):
        raise SettingError(
            "a trial begins in an empty folder",
            expected="a new or empty one",
            got=str(keep),
            fix="Name another with --keep.",
        )
    keep.mkdir(mode=0o700, parents=True, exist_ok=True)
    yield keep.resolve()
