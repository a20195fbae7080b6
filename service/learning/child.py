"""Training in a process of its own: its memory is given back, and sensing goes on meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from oddcall.models import errors
from oddcall.models.errors import OddcallError, reason
from oddcall.service.config.inherited import environment

#: Of a child that computes: below every process that works for a person.
NICE = 10
#: Beside what every child of ours is given: one thread of arithmetic.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_BY_CODE = {
    kind.exit_code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, OddcallError)
}


class NoChildError(OddcallError):
    """A child cannot be started now, and may be later: no process or temporary file is left."""


def begun(command: Sequence[str], **pipe: int) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start a child of our own, and give it with the file that holds what it says.

    Raises
    ------
    NoChildError
    """
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **pipe}
    said: IO[bytes] | None = None
    try:
        said = tempfile.TemporaryFile()  # noqa: SIM115  closed by who asked
        # A session of its own: Ctrl-C is for us to handle, and we end it.
        process = subprocess.Popen(  # noqa: S603  our own command line
            command, stderr=said, start_new_session=True, env=environment(ONE_THREAD), **streams
        )
    except OSError as error:
        if said:
            said.close()
        raise NoChildError("no child process could be started", got=reason(error)) from error
    return process, said


def kind_of(code: int) -> type[OddcallError]:
    """Give the kind of error that a child of ours ended with."""
    return _BY_CODE.get(code, OddcallError)


class TrainingChild:
    """``oddcall train`` as a child.

    Parameters
    ----------
    recordings : directories to train on.
    output : where the bundle is put.
    budget : as typed, such as ``"1/day"``.
    min_windows : windows a program needs for a baseline of its own.
    feedback : what people said, for programs that are to be forgotten.

    Raises
    ------
    NoChildError
    """

    def __init__(
        self,
        recordings: Sequence[Path],
        output: Path,
        budget: str,
        min_windows: int,
        feedback: Path | None = None,
    ) -> None:
        command = [sys.executable, "-m", "oddcall.service.cli", "train", *map(str, recordings)]
        command += ["--output", str(output), "--budget", budget]
        command += ["--min-windows", str(min_windows), "--json"]
        command += ["--feedback", str(feedback)] if feedback else []
        self._process, self._said = begun(command)
        # Never before its parent: who has been made nicer and gave privileges up may not go back.
        nice = max(NICE, os.getpriority(os.PRIO_PROCESS, 0))
        os.setpriority(os.PRIO_PROCESS, self._process.pid, nice)
        self._output = output

    @property
    def running(self) -> bool:
        """Whether it still trains."""
        return self._process.poll() is None

    @property
    def line(self) -> str:
        """Last line it said."""
        size = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, size - 4096))
        lines = self._said.read().decode("utf-8", "replace").splitlines()
        return lines[-1] if lines else ""

    def finish(self) -> None:
        """Take its outcome; raises the OddcallError that it ended with."""
        code = self._process.wait()
        if code == 0 and self._output.exists():
            return
        if code == 0:
            raise OddcallError("training was stopped from outside", fix="Start it again.")
        said = self.line.removeprefix("oddcall: ").rstrip(".")
        raise kind_of(code)(
            f"training failed: {said}" if said else "training failed",
            got="" if code > 0 else f"a child ended by signal {-code}",
        )

    def stop(self) -> None:
        """End it; the recording it read is untouched."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._said.close()
