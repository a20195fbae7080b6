"""``oddcall support-bundle``."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

import click

_EXAMPLES = """\b
Examples:
  sudo oddcall support-bundle -o support.tar.gz
  tar -xOf support.tar.gz oddcall-support/doctor.json
"""
_PATH = click.Path(path_type=Path)


@click.command("support-bundle", epilog=_EXAMPLES)
@click.option("-o", "--output", required=True, metavar="FILE", type=_PATH, help="The archive.")
@click.option(
    "--config",
    metavar="FILE",
    type=_PATH,
    help="Settings to use instead of /etc/oddcall/oddcall.toml.",
)
@click.option("--state-dir", metavar="DIR", help="State directory of the watch in question.")
def command(output: Path, config: Path | None, state_dir: str | None) -> None:
    """Gather how things stand into one file, to send when asking for help.

    Secrets, command lines and the content of alerts are not in it; it says what
    is. Look into it before you send it.
    """
    from oddcall.models.errors import SettingError
    from oddcall.models.storage import require_place, write_whole
    from oddcall.sensor.checks import checks
    from oddcall.service.doctor import examine
    from oddcall.service.support import CONTENTS, pack, parts, unread

    # Looked at first: to ask a host takes a while.
    if output.is_file():
        raise SettingError(
            f"{output} is there already",
            expected="a file that is not there yet",
            got="one that would be lost",
            fix="Name another with -o, or take it away.",
        )
    require_place(output)
    click.echo("looking at this host, as `oddcall doctor` does")
    found = examine(checks, config, state_dir=state_dir)
    gathered = list(parts(found, config, state_dir))
    write_whole(output, pack(gathered))
    output.chmod(0o600)
    click.echo(f"{output} holds, below oddcall-support/:")
    for name, what in CONTENTS.items():
        click.echo(f"  {name:<14}  {what}")
    for line in unread(gathered):
        click.echo(fill(f"not read: {line}", 80, subsequent_indent="  ", break_on_hyphens=False))
