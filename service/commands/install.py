"""``oddcall install``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oddcall.models.errors import PrivilegeError

if TYPE_CHECKING:
    from oddcall.service.install.steps import Step

_EXAMPLES = """\b
Examples:
  oddcall install --dry-run        what it would do
  sudo oddcall install --now
  oddcall install --root image/    into an image that is being built
"""

ROOT = click.option(
    "--root",
    metavar="DIR",
    default="/",
    type=click.Path(path_type=Path, file_okay=False),
    help="Another root than this host's.",
)
DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


@click.command("install", epilog=_EXAMPLES)
@DRY_RUN
@ROOT
@click.option("--now", is_flag=True, help="Enable the service and start it.")
def command(dry_run: bool, root: Path, now: bool) -> None:
    """Make oddcall a hardened service of systemd.

    Writes the unit, a configuration in which everything is commented out (one that
    is there is kept), and the state directory. Can be run again: after an upgrade
    it writes the unit anew.
    """
    from oddcall.service.install import steps

    require_root("install", root, dry_run=dry_run)
    follow(steps.install(root, now=now), dry_run=dry_run)
    if dry_run:
        click.echo(f"\n# {steps.UNIT}\n{steps.unit()}", nl=False)
    elif not now and root == Path("/"):
        click.echo(f"then type: systemctl enable --now {steps.UNIT.name}")


def require_root(verb: str, root: Path, *, dry_run: bool) -> None:
    """Refuse to change this host for who may not, before the first step."""
    if root.resolve() == Path("/") and not dry_run and os.geteuid():
        raise PrivilegeError(f"to {verb} takes root", fix=f"Type: sudo oddcall {verb}")


def follow(steps: Iterable[Step], *, dry_run: bool) -> None:
    """Do the steps, or say what they would be."""
    for step in steps:
        if step.do is None:
            click.echo(step.does)
        elif dry_run:
            click.echo(f"would {step.does}")
        else:
            step.do()
            click.echo(f"done: {step.does}")
