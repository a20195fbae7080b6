"""``oddcall advise``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from oddcall.service.commands.options import with_settings
from oddcall.service.config.settings import Settings

_EXAMPLES = """\b
Examples:
  oddcall advise seccomp nginx
  oddcall advise seccomp /usr/sbin/nginx --model host.oddcall -o nginx.json
  oddcall advise seccomp nginx 'nginx-*' --recording clean/ --enforce
"""
_PATH = click.Path(path_type=Path)


@click.group("advise", epilog=_EXAMPLES)
def command() -> None:
    """Make of a baseline what other tools can use."""


@command.command("seccomp", epilog=_EXAMPLES)
@click.argument("programs", metavar="PROGRAM...", nargs=-1, required=True)
@click.option(
    "--model", metavar="FILE", type=_PATH, help="Bundle; default the baseline that watch learned."
)
@click.option(
    "--recording",
    "recordings",
    metavar="DIR",
    type=_PATH,
    multiple=True,
    help="What it was learned from: tells when the last new call was met.",
)
@click.option("-o", "--output", metavar="FILE", type=_PATH, help="Where to write the profile.")
@click.option("--enforce", is_flag=True, help="Refuse other calls instead of logging them.")
@with_settings("state_dir")
def seccomp(
    settings: Settings,
    programs: tuple[str, ...],
    model: Path | None,
    recordings: tuple[Path, ...],
    output: Path | None,
    enforce: bool,
) -> None:
    """Write a seccomp profile of the calls a program was seen to make.

    Without --enforce other calls are allowed and logged (SCMP_ACT_LOG): run with
    that first, for as long as the program needs to do all of its work, and look
    for type=1326 in the kernel's log. The programs it starts inherit the filter:
    name them too. Calls of a container runtime's own start are not in a baseline.
    """
    from oddcall.models.bundle import load_bundle
    from oddcall.models.errors import BundleError
    from oddcall.models.storage import write_whole
    from oddcall.service.advise.evidence import gather, look_for_new_calls
    from oddcall.service.advise.seccomp import completeness, profile
    from oddcall.service.state import StateDir
    from oddcall.service.trust import named_model

    state = StateDir(settings.state_dir)
    if model is None and not state.baseline.exists():
        raise BundleError(
            "there is no baseline to advise from",
            expected=str(state.baseline),
            got="no such file",
            fix="Run oddcall watch until it has learned, or name a bundle with --model.",
        )
    if model is None and not recordings and state.learning.is_dir():
        recordings = (state.learning,)
    loaded = named_model(model, settings.trusted_key) if model else load_bundle(state.baseline)
    evidence = gather(loaded, programs)
    look_for_new_calls(evidence, recordings)
    arch = loaded.metadata.get("arch", "")
    text = json.dumps(profile(evidence, arch, enforce=enforce), indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text.encode())
    for clause in completeness(evidence, arch):
        click.echo(clause, err=True)
    if output is not None:
        does = "refuses" if enforce else "logs"
        click.echo(f"saved {output}; it {does} every other call", err=True)
