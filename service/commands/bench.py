"""``oddcall bench``."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import click

from oddcall.service.commands.options import as_json, people

_EXAMPLES = """\b
Examples:
  sudo oddcall bench sensor
  sudo oddcall bench sensor --json --rounds 3
"""


@click.group("bench", epilog=_EXAMPLES)
def command() -> None:
    """Measure what oddcall costs on this host, beside its floor and its peers."""


@command.command("sensor", epilog=_EXAMPLES)
@click.option(
    "--rounds",
    type=click.IntRange(1, 100),
    default=5,
    show_default=True,
    help="Times that every row is measured.",
)
@click.option("--own", "own_only", is_flag=True, help="Leave other tools out.")
@click.option("--calls", "calls_only", is_flag=True, help="Leave real work out.")
@as_json('Print {"floor_ns", "rows": [{"name", "added_ns", "ratio_to_floor"}]}.')
def sensor(rounds: int, own_only: bool, calls_only: bool, json_: bool) -> None:
    """Measure what it adds to a system call, and to real work.

    A loop of getppid with nothing attached, with an empty hook (the least that
    any tool of this kind can cost), with oddcall in parts and whole, and with
    other tools where they are installed. Then the same beside a compile and a
    Redis server, where those are installed; and what each loader takes to start.
    Takes some minutes; every process of the host bears the cost meanwhile.
    """
    from oddcall.sensor.privilege import require_privilege
    from oddcall.service.bench.contender import own
    from oddcall.service.bench.loads import loads
    from oddcall.service.bench.peers import peers
    from oddcall.service.bench.report import Found, as_dict, render
    from oddcall.service.bench.rounds import Results, Takes, measured, run
    from oddcall.service.bench.starting import starts
    from oddcall.service.screen import Status, open_screen

    require_privilege()
    rows = own()

    def through(takes: Takes, pids: list[int], what: str) -> Results:
        contenders = [*own(), *([] if own_only else peers(pids))]
        rows[:] = contenders
        return run(
            contenders,
            takes,
            rounds,
            lambda label, done: screen.show(Status(f"{what} beside {label}", done)),
        )

    with closing(open_screen(people(json_))) as screen:
        with measured() as calls:
            found = Found(through(calls, calls.pids, "calls"))
        if not calls_only:
            with loads() as works:
                work = through(works, works.pids, "real work")
                found = replace(found, work=work, absent=works.absent)
        screen.show(Status("starting each loader"))
        found = replace(found, starts=starts(rounds))
    if json_:
        click.echo(json.dumps(as_dict(found, rows)))
    else:
        click.echo("\n".join(render(found, rows)))
