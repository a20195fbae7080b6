"""What the processes that simulate run: ``python -m oddcall.service.simulate act|serve ...``.

People type ``oddcall simulate``; these are the words it passes to the processes it starts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from oddcall.models.errors import OddcallError
from oddcall.service.simulate import server
from oddcall.service.simulate.catalogue import include
from oddcall.service.simulate.outcome import broke, perform

_ORDINARY_S = 1.0


def _act(name: str, seconds: str, room: str, pause: str, *own: str) -> int:
    """Do ordinary things for a moment, then the behaviour; print the outcome."""
    include(*map(Path, own))
    _be_ordinary()
    try:
        outcome = perform(name, float(seconds), Path(room), float(pause))
        sys.stdout.write(json.dumps(outcome.as_dict()))
    except OddcallError:
        raise
    except Exception as error:  # whatever a behaviour of somebody's does wrong
        sys.stderr.write(f"{broke(name, error)}\n")
        return 1
    return 0


def _be_ordinary() -> None:
    """Look around and read, as a script does that has just begun."""
    until = time.monotonic() + _ORDINARY_S
    library = Path(os.__file__).parent
    while time.monotonic() < until:
        for path in sorted(library.glob("a*.py")):
            path.read_bytes()
        time.sleep(0.05)


def _serve(port: str, folder: str, *own: str) -> int:
    include(*map(Path, own))
    return server.main(int(port), Path(folder))


_VERBS: dict[str, Callable[..., int]] = {"act": _act, "serve": _serve}


def main(words: list[str]) -> int:
    """Run one verb; an error of ours is one sentence on standard error."""
    try:
        return _VERBS[words[0]](*words[1:])
    except KeyboardInterrupt:
        return 0
    except OddcallError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    # Run by a path of its own, argv begins with the module's name.
    sys.exit(main(sys.argv[1:]))
