"""``oddcall bench``."""

from __future__ import annotations

import json

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
@as_json('Print {"floor_ns", "rows": [{"name", "added_ns", "ratio_to_floor"}]}.')
def sensor(rounds: int, own_only: bool, json_: bool) -> None:
    """Measure nanoseconds added to a system call.

    A loop of getppid with nothing attached, with an empty hook (the least that
    any tool of this kind can cost), with oddcall in parts and whole, and with
    other tools where they are installed. Takes a minute or more; every process
    of the host bears the cost meanwhile.
    """
    from oddcall.sensor.privilege import require_privilege
    from oddcall.service.bench.contender import own
    from oddcall.service.bench.peers import peers
    from oddcall.service.bench.report import as_dict, render
    from oddcall.service.bench.rounds import measured, run
    from oddcall.service.screen import Status, open_screen

    require_privilege()
    screen = open_screen(people(json_))
    with measured() as children:
        contenders = own() + ([] if own_only else peers(lambda: children.pid))
        try:
            results = run(
                contenders,
                children,
                rounds,
                lambda label, done: screen.show(Status(f"measuring {label}", done)),
            )
        finally:
            screen.close()
    if json_:
        click.echo(json.dumps(as_dict(results, contenders)))
    else:
        click.echo("\n".join(render(results, contenders)))
