"""``oddcall doctor``."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import click

from oddcall.service.commands.options import as_json

_EXAMPLES = """\b
Examples:
  sudo oddcall doctor
  oddcall doctor --json
  oddcall doctor --model host.oddcall
"""

_FILE = click.Path(path_type=Path)


@click.command("doctor", epilog=_EXAMPLES)
@click.option(
    "--config", metavar="FILE", type=click.Path(path_type=Path), help="Settings to check."
)
@click.option("--model", metavar="FILE", type=click.Path(path_type=Path), help="Bundle to check.")
@click.option("--state-dir", metavar="DIR", help="State directory to check.")
@as_json('Print {"ok", "checks": [{"name", "ok", "detail", "fix"}]} and the three lists.')
def command(config: Path | None, model: Path | None, state_dir: str | None, json_: bool) -> int:
    """Say what will run on this host, what will be missed, what to type.

    Really loads the program into the kernel and takes it out again, and tries to
    reach every sink. Without root it says what it could not look at. The exit code
    is 0 when every check passes, else 4.
    """
    from oddcall.models.errors import KernelError
    from oddcall.sensor.checks import checks
    from oddcall.service.doctor import as_dict, examine, outlook, render, render_outlook

    found = examine(checks, config, model, state_dir)
    ok = all(check.ok for check in found)
    if json_:
        click.echo(json.dumps(as_dict(found), indent=2))
    else:
        width = min(shutil.get_terminal_size((80, 24)).columns, 100)
        click.echo("\n".join(render(found, width=width, colour=sys.stdout.isatty())))
        click.echo("\n" + "\n".join(render_outlook(outlook(found), width=width)))
    return 0 if ok else KernelError.exit_code
