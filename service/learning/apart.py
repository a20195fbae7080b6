"""Recordings written and read in a process of its own, which gives Parquet's memory back.

::

    watch ──batches──> python -m ...learning.apart write FOLDER ──> FOLDER/part-*.parquet
    watch <──batches── python -m ...learning.apart read FOLDER

Parquet's library keeps 60 MB of a process for good, and a watch needs it for moments. A writer
ends with its input: a watch that is killed loses nothing that it had handed over.
"""

from __future__ import annotations

import fcntl
import json
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from oddcall.models.errors import OddcallError
from oddcall.models.packed import packed, unpacked
from oddcall.service.learning.child import begun, kind_of

if TYPE_CHECKING:
    from oddcall.models.window import WindowBatch

#: Bytes that wait for a writer which is still starting, so that a tick does not.
_PIPE = 1 << 20
#: Before each message: its length in bytes.
_LENGTH = struct.Struct("<Q")


class RecordingChild:
    """Append batches to a recording, as `RecordingWriter` does, without its memory.

    Parameters
    ----------
    folder : Path
    metadata : dict of str
    seconds_per_part : float, default 30.0

    Raises
    ------
    NoChildError
        When no process can be started now.
    """

    def __init__(
        self, folder: Path, metadata: dict[str, str], seconds_per_part: float = 30.0
    ) -> None:
        self._process, self._said = _begun("write", folder, stdin=subprocess.PIPE)
        assert self._process.stdin is not None  # noqa: S101  it was asked for
        self._to = self._process.stdin
        with suppress(OSError):
            fcntl.fcntl(self._to.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        self._send(json.dumps([metadata, seconds_per_part]).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, batch: WindowBatch) -> None:
        """Add one tick's batch.

        Raises
        ------
        OddcallError
            What the writer met: of the kinds that `RecordingWriter` raises. It is closed then.
        """
        self._send(packed(batch))

    def end(self) -> None:
        """Let it write what it has, and end, without waiting for that."""
        with suppress(BrokenPipeError):
            self._to.close()

    def close(self) -> None:
        """End it and wait until all is written. Closing again does nothing.

        Raises
        ------
        OddcallError
            When not all could be written.
        """
        if self._said.closed:
            return
        self.end()
        code = self._process.wait()
        with self._said:
            _check(code, self._said)

    def _send(self, message: bytes) -> None:
        try:
            _put(self._to, message)
            self._to.flush()
        except BrokenPipeError:
            self.close()


def read_apart(folder: Path) -> Iterator[WindowBatch]:
    """Yield the batches of a recording, as `read_batches` does, without its memory.

    Raises
    ------
    OddcallError
        What the reader met: of the kinds that `read_batches` raises; a NoChildError before
        the first batch where no process can be started now.
    """
    process, said = _begun("read", folder, stdout=subprocess.PIPE)
    with said:
        assert process.stdout is not None  # noqa: S101  it was asked for
        with process:
            try:
                yield from map(unpacked, _messages(process.stdout))
                code = process.wait()
            finally:
                process.kill()
        _check(code, said)


def _begun(verb: str, folder: Path, **pipe: int) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    module = "oddcall.service.learning.apart"
    return begun([sys.executable, "-m", module, verb, str(folder)], **pipe)


def _put(to: IO[bytes], message: bytes) -> None:
    to.write(_LENGTH.pack(len(message)))
    to.write(message)


def _messages(source: IO[bytes]) -> Iterator[bytes]:
    """Yield messages until the stream ends, with its other end or in the middle of one."""
    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        (length,) = _LENGTH.unpack(head)
        if len(message := source.read(length)) < length:
            return
        yield message


def _check(code: int, said: IO[bytes]) -> None:
    if code == 0:
        return
    said.seek(0)
    lines = said.read().decode("utf-8", "replace").splitlines()
    told = lines[-1].rstrip(".") if lines else "a recording was left"
    raise kind_of(code)(told, got="" if code > 0 else f"a child ended by signal {-code}")


def _write(folder: Path) -> None:
    from oddcall.training.recording import RecordingWriter

    given = _messages(sys.stdin.buffer)
    metadata, seconds = json.loads(next(given))
    with RecordingWriter(folder, metadata, seconds_per_part=seconds) as writer:
        for message in given:
            writer.append(unpacked(message))


def _read(folder: Path) -> None:
    from oddcall.training.recording import read_batches

    for batch in read_batches(folder):
        _put(sys.stdout.buffer, packed(batch))
    sys.stdout.buffer.flush()


def main() -> int:
    """Write or read what the command line names; returns the exit code of what was met."""
    # A service is stopped by a signal to all of its processes: the end of the input ends us.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    verb, folder = sys.argv[1:]
    try:
        {"write": _write, "read": _read}[verb](Path(folder))
    except OddcallError as error:
        print(error, file=sys.stderr)  # noqa: T201  for our parent
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
