"""``oddcall uninstall``."""

from __future__ import annotations

from pathlib import Path

import click

from oddcall.service.commands.install import DRY_RUN, ROOT, follow, require_root

_EXAMPLES = """\b
Examples:
  oddcall uninstall --dry-run
  sudo oddcall uninstall
  sudo oddcall uninstall --purge     what it learned and wrote, too
"""


@click.command("uninstall", epilog=_EXAMPLES)
@DRY_RUN
@ROOT
@click.option("--purge", is_flag=True, help="Remove configuration, state and logs as well.")
def command(dry_run: bool, root: Path, purge: bool) -> None:
    """Stop the service of systemd and remove it.

    The configuration, what was learned, and logs stay unless --purge is given.
    oddcall itself stays where it was installed.
    """
    from oddcall.service.install import steps

    require_root("uninstall", root, dry_run=dry_run)
    follow(steps.uninstall(root, purge=purge), dry_run=dry_run)
