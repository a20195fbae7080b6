"""``oddcall simulate``."""

from __future__ import annotations

import json
from contextlib import closing
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from oddcall.service.commands.options import as_json, duration, own_behaviours, people
from oddcall.service.quantities import counted

if TYPE_CHECKING:
    from oddcall.service.simulate import Behaviour

_EXAMPLES = """\b
Examples:
  oddcall simulate list
  oddcall simulate serve --port 8080 &    a web server to learn, and to misuse
  oddcall simulate load http://127.0.0.1:8080 --duration 10m
  oddcall simulate run port-scan          inside that server, if it runs
  oddcall simulate run shell-on-socket --via python
"""

_LIST = """\b
Examples:
  oddcall simulate list
  oddcall simulate list --json
  oddcall simulate list --from mine.py
"""
_RUN = """\b
Examples:
  oddcall simulate run port-scan
  oddcall simulate run shell-on-socket --via python
"""
_LOAD = """\b
Examples:
  oddcall simulate load http://127.0.0.1:8080 --duration 10m
"""
_SERVE = """\b
Examples:
  oddcall simulate serve --port 8080
"""
_WORKDIR = click.option(
    "--workdir",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for temporary files, and to find the demo server by.",
)


@click.group("simulate", epilog=_EXAMPLES)
def command() -> None:
    """Run a harmless but real behaviour that should be noticed."""


@command.command("list", epilog=_LIST)
@own_behaviours
@as_json("Print them as JSON.")
def list_(json_: bool) -> None:
    """List the behaviours."""
    from oddcall.service.simulate import behaviours

    found = behaviours()
    if json_:
        keys = ("name", "technique", "tactic", "summary", "cause", "invisible", "faint")
        click.echo(json.dumps([{key: getattr(b, key) for key in keys} for b in found], indent=2))
        return
    width = max(len(behaviour.name) for behaviour in found)
    tactics = [behaviour.tactic for behaviour in found]
    ordered = sorted(found, key=lambda behaviour: tactics.index(behaviour.tactic))
    for tactic, group in groupby(ordered, lambda behaviour: behaviour.tactic):
        click.echo(f"\n{tactic}")
        for behaviour in group:
            click.echo("\n".join(_entry(behaviour, width)))
    hidden = sum(bool(behaviour.invisible) for behaviour in found)
    faint = sum(behaviour.faint for behaviour in found)
    click.echo(
        f"\n{counted(len(found), 'behaviour')}, {hidden} of them invisible to counts of calls.\n"
        f"{faint} are faint: they may be missed after a lesson of a few minutes."
    )


def _entry(behaviour: Behaviour, width: int) -> list[str]:
    """Give the lines of one behaviour, within 80 columns."""
    summary = behaviour.summary
    if behaviour.invisible:
        summary += f" Invisible to counts: {behaviour.invisible}."
    if behaviour.faint:
        summary += " Faint after a short lesson."
    first = f"  {behaviour.name:<{width}}  {behaviour.technique:<9}  "
    return wrap(summary, 80, initial_indent=first, subsequent_indent=" " * len(first))


@command.command("run", epilog=_RUN)
@click.argument("name")
@click.option(
    "--via",
    metavar="WHERE",
    help="Process to run it in: http://127.0.0.1:PORT or the pid of a demo server, or python "
    "for a new process.  [default: the demo server if it runs, else python]",
)
@click.option("--seconds", type=float, default=2.0, show_default=True, help="End it by then.")
@click.option(
    "--pause", metavar="TIME", help="Wait so long between two steps, as the patient do: 10ms, 2s."
)
@_WORKDIR
@own_behaviours
@as_json("Print what was run, by which process and when, as JSON.")
def run(
    name: str,
    via: str | None,
    seconds: float,
    pause: str | None,
    workdir: Path | None,
    json_: bool,
) -> None:
    """Run one behaviour, and say which process did it.

    One of --from can be run in a demo server that was started with the same.
    """
    from oddcall.service import simulate
    from oddcall.service.simulate import interpreter

    pause_s = duration(pause, "--pause") if pause else 0.0
    outcome = simulate.run(
        name,
        via=via,
        seconds=seconds,
        pause_s=pause_s,
        workdir=workdir,
        waiting=lambda: click.echo(_waiting(via or "the demo server"), err=True),
    )
    if json_:
        click.echo(json.dumps(outcome.as_dict()))
        return
    facts = ", ".join(f"{key} {value}" for key, value in outcome.detail.items())
    told = f" ({facts})" if facts else ""
    click.echo(f"{outcome.name}: done by {outcome.program}, pid {outcome.pid}{told}")
    if via is None and outcome.program.rsplit("/", 1)[-1] != interpreter.NAME:
        click.echo("no demo server was found, so that a new process did it: name one by --via PID")


def _waiting(url: str) -> str:
    from oddcall.service.simulate.connecting import STARTING_S

    return f"nothing listens at {url} yet: trying for {STARTING_S:.0f} s"


@command.command("serve", epilog=_SERVE)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
@_WORKDIR
@own_behaviours
def serve(port: int, workdir: Path | None) -> None:
    """Be a small web server on loopback that can be told to misbehave."""
    from oddcall.service import simulate

    simulate.serve(port, workdir)


@command.command("load", epilog=_LOAD)
@click.argument("url")
@click.option("--duration", "length", metavar="TIME", default="60s", show_default=True)
@click.option("--rate", type=float, default=40.0, show_default=True, help="Requests a second.")
@as_json("Print how many requests were answered, by status, as JSON.")
def load(url: str, length: str, rate: float, json_: bool) -> None:
    """Send a web server ordinary requests of many kinds."""
    from oddcall.service import simulate
    from oddcall.service.screen import Status, open_screen

    seconds = duration(length)
    with closing(open_screen(people(json_))) as screen:

        def progress(done: float) -> None:
            screen.show(Status(f"sending requests to {url} for {length}", done))

        def waiting() -> None:
            screen.say(_waiting(url))

        seen = simulate.load(url, seconds, rate=rate, progress=progress, waiting=waiting)
    click.echo(json.dumps(seen) if json_ else ", ".join(f"{k} {n:,}" for k, n in seen.items()))
