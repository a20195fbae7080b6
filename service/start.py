"""Entry point of the ``oddcall`` script: Ctrl-C is heard while the program is still being read."""

from __future__ import annotations

import sys


def main() -> None:
    """Read the command line's own modules, and run them."""
    try:
        from oddcall.service import cli

        cli.main()
    except KeyboardInterrupt:
        sys.stderr.write("oddcall: stopped\n")
        sys.exit(0)
