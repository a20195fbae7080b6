"""``oddcall top``."""

from __future__ import annotations

import json
import sys

import click

from oddcall.models.errors import SettingError
from oddcall.service.commands.options import as_json, with_settings
from oddcall.service.config.settings import Settings

_EXAMPLES = """\b
Examples:
  sudo oddcall top
  sudo oddcall top --state-dir /srv/oddcall
  sudo oddcall top --address            the page of the watch, for a browser
  sudo oddcall top --json | jq .budget
"""


@click.command("top", epilog=_EXAMPLES)
@with_settings("state_dir")
@click.option("--address", is_flag=True, help="Print the address of its page, with the key.")
@as_json("Print how everything stands as JSON, once.")
def command(settings: Settings, address: bool, json_: bool) -> None:
    """Look at a running watch: programs and processes by p-value.

    Shows what `oddcall watch` on this host sees now: p-values, calls and errors
    a second, how each program stands, what was lost. Enter opens a program: what
    is normal for it, beside what it did lately.
    """
    from oddcall.service.top.client import Client, find
    from oddcall.service.web.address import read

    found = find(settings.state_dir)
    if address:
        click.echo(found.link)
        return
    client = Client(found, lambda: read(settings.state_dir))
    if json_:
        click.echo(json.dumps(client.state(), indent=2))
        return
    if not sys.stdout.isatty():
        raise SettingError(
            "standard output is no terminal",
            fix="Run it in a terminal, or with --json for a machine.",
        )
    # Only here: it is a megabyte of code that nothing else needs.
    from oddcall.service.top.app import Top

    Top(client).run()
