"""``oddcall evaluate``: one verb a kind of labelled data."""

from __future__ import annotations

import click

from oddcall.service.commands import evaluate_live, evaluate_recordings, evaluate_traces

_EXAMPLES = """\b
Examples:
  oddcall evaluate traces --train clean/ --normal later/ --attack attacks/
  oddcall evaluate traces --set adfa-833
  oddcall evaluate recordings --train clean/ --test later/ --labels a.jsonl
  oddcall evaluate live --learn 10m --watch 10m
"""


@click.group("evaluate", epilog=_EXAMPLES)
def command() -> None:
    """Measure detectors on labelled data."""


command.add_command(evaluate_live.command)
command.add_command(evaluate_traces.command)
command.add_command(evaluate_recordings.command)
