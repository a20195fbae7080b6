"""``oddcall``: one verb a module under ``commands``, and one place where errors end."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from oddcall.models.errors import OddcallError
from oddcall.service.failure import STATE, report_mistake, storage_failure
from oddcall.service.signals import interrupt_on_sigterm

#: Verb -> what it does. Its module is imported only when it is called.
VERBS: dict[str, str] = {
    "doctor": "Say what will run on this host, what will be missed, what to type.",
    "record": "Write down what every process of this host calls.",
    "train": "Learn a baseline from recordings of clean time.",
    "watch": "Judge this host as it runs, and alert.",
    "top": "Look at a running watch in the terminal.",
    "replay": "Judge a recording as watch would have.",
    "evaluate": "Measure detectors on labelled data.",
    "programs": "Show how each program stands, why, and since when.",
    "explain": "Show all that is known of an alert.",
    "feedback": "Answer an alert: seen, normal, or learn that program anew.",
    "simulate": "Run a harmless behaviour that should be noticed.",
    "bench": "Measure what watching costs on this host.",
    "advise": "Make of a baseline what other tools can use: a seccomp profile.",
    "config": "Check and show the settings.",
    "support-bundle": "Gather how things stand into one file, to ask for help with.",
    "install": "Make oddcall a hardened service of systemd.",
    "uninstall": "Stop that service and remove it.",
}

_EXAMPLES = """\b
Examples:
  oddcall doctor
  oddcall watch                     learns this host first, then watches it
  oddcall record -o clean/ --duration 10m
  oddcall train clean/ -o host.oddcall --budget 1/day
  oddcall watch --model host.oddcall --alerts alerts.jsonl
  oddcall replay suspect/ --model host.oddcall --alerts found.jsonl

\b
Exit codes:
  0 done (or stopped by Ctrl-C or SIGTERM)   1 a mistake of oddcall's own
  2 a wrong setting or flag    3 not enough privilege    4 kernel or loader
  5 recording    6 model bundle    7 disk    8 too little evidence
"""


class _Verbs(click.Group):
    """A group that imports a verb's module only when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Every verb, in the order a newcomer meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """Import the verb."""
        if cmd_name not in VERBS:
            return None
        # Arithmetic is of many small matrices: threads of its own wait for each other, on a busy
        # host longer than all the rest takes. And a thread would keep capabilities given up.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        module = importlib.import_module(f"oddcall.service.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say which verb may have been meant where there is none of that name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], VERBS, 1)
            if not near:
                raise
            said = f"{error.message} Did you mean '{near[0]}'?"
            raise click.UsageError(said, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        """List the verbs without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.command(
    cls=_Verbs,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
@click.version_option(package_name="oddcall", message="oddcall %(version)s")
def cli() -> None:
    """Learn how each program of this host calls the kernel, and tell what is odd."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code and lets no traceback out."""
    known: dict[str, Path] = {}
    try:
        return _exit_code(
            cli.main(arguments, prog_name="oddcall", standalone_mode=False, obj=known)
        )
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        return error.exit_code
    except OddcallError as error:
        return _fail(error)
    except (KeyboardInterrupt, click.Abort):
        _told("stopped")
        return 0
    except SystemExit:
        # What click makes of a reader (`| head`) that has left, and of nothing else.
        return 0
    except Exception as error:
        return _fail(storage_failure(error) or report_mistake(error, known.get(STATE)))


def _exit_code(returned: object) -> int:
    return returned if isinstance(returned, int) else 0


def _fail(error: OddcallError) -> int:
    _told(str(error))
    return error.exit_code


def _told(text: str) -> None:
    # Where standard error is on a full disk, or its terminal is gone, the exit code tells it.
    with suppress(OSError):
        click.echo(f"oddcall: {text}", err=True)


def main() -> None:
    """Entry point of the ``oddcall`` script."""
    interrupt_on_sigterm()
    code = run()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            # Left in it, what cannot be written would end us with Python's own exit code.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


if __name__ == "__main__":
    main()
