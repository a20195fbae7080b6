"""Run a behaviour in a process whose program may have a baseline, and serve such a process."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlencode

from oddcall.models.errors import OddcallError, SettingError
from oddcall.service.simulate import interpreter, registry
from oddcall.service.simulate.behaviour import Behaviour, roomed
from oddcall.service.simulate.catalogue import file_of, included, named
from oddcall.service.simulate.connecting import connect, host_and_port, unsaid
from oddcall.service.simulate.outcome import Outcome, broke, check_seconds
from oddcall.service.simulate.places import made, private
from oddcall.service.state import default_state_dir

#: What ``via`` may be beside a pid and an address: a new process of the Python interpreter.
PYTHON = "python"
_MODULE = "oddcall.service.simulate"
_HEADER = {"X-Oddcall-Simulate": "yes"}
#: What `named` says, in a server as well.
_UNKNOWN = "no such behaviour"
#: A behaviour's own bound on its children, and then some.
_GRACE_S = 30.0


def default_workdir() -> Path:
    """Where simulations keep the demo server and make their files."""
    return default_state_dir() / "simulate"


def run(
    name: str,
    *,
    via: str | None = None,
    seconds: float = 2.0,
    pause_s: float = 0.0,
    workdir: Path | None = None,
    waiting: Callable[[], None] = unsaid,
) -> Outcome:
    """Run a behaviour, and say which process did it and when.

    What it works on is made before, by this process, and removed after.

    Parameters
    ----------
    name : str
        One of `behaviours`.
    via : str, optional
        In which process. ``http://127.0.0.1:PORT`` or the pid of a demo server: in that
        server's own process. ``"python"``: in a new process of this Python interpreter
        (the program ``python3.x``, which has a baseline only where Python programs ran while
        learning). By default the demo server of ``workdir`` if it runs, else ``"python"``.
    seconds : float, default 2
        When to stop at the latest; most end sooner by their count.
    pause_s : float, default 0
        Time between two steps.
    workdir : Path, optional
        Folder to find the demo server by, and for temporary files (those of a demo server are in
        its own); `default_workdir` if absent.
    waiting : callable, optional
        Called once where the server does not listen yet: it is tried for some seconds.

    Raises
    ------
    SettingError
        If there is no such behaviour, process or duration, or somebody else can write where its
        files would be.
    StorageError
        If there is no place for them.
    OddcallError
        If the server does not answer, or the behaviour or what it works on failed.
    """
    behaviour = named(name)
    check_seconds(seconds, pause_s)
    folder = made(workdir or default_workdir())
    server = registry.running(folder)
    if via == PYTHON or (via is None and server is None):
        with _prepared(behaviour, folder) as room:
            return _in_new_process(name, seconds, pause_s, room)
    if via is None or via.isdecimal():
        if server is None or (via is not None and int(via) != server.pid):
            raise SettingError(
                "nothing can be run inside that process",
                expected="the pid of a demo server (oddcall never enters other programs)",
                got=f"process {via}",
                fix="Start one: oddcall simulate serve",
            )
        via = server.url
    return _in_server(behaviour, seconds, pause_s, via, waiting)


def _prepared(behaviour: Behaviour, folder: Path) -> AbstractContextManager[Path]:
    """Make the behaviour's room, with what it works on, for as long as it runs."""

    def prepare(room: Path) -> None:
        try:
            behaviour.prepare(room)
        except Exception as error:  # whatever a behaviour of somebody's does wrong
            raise OddcallError(
                f"what {behaviour.name} works on could not be made",
                got=broke(behaviour.name, error),
            ) from error

    return roomed(folder, prepare)


def serve(port: int = 0, workdir: Path | None = None) -> NoReturn:
    """Become the demo server: this process goes on as a private copy of the interpreter.

    It prints its address, and ends with exit code 0 on SIGINT or SIGTERM.

    Raises
    ------
    StorageError
        If the copy cannot be written.
    OddcallError
        If the copy does not run.
    """
    words = serve_command(port, workdir)
    os.execve(words[0], words, interpreter.environment())  # noqa: S606  our own copy


def serve_command(port: int = 0, workdir: Path | None = None) -> list[str]:
    """Make what the demo server needs and give the command that starts it."""
    folder = made(workdir or default_workdir())
    copy = interpreter.private_copy(folder / "interpreter")
    return interpreter.command(
        copy, _MODULE, "serve", str(port), str(folder), *map(str, included())
    )


def _in_new_process(name: str, seconds: float, pause_s: float, room: Path) -> Outcome:
    words = [
        sys.executable,
        "-P",
        "-m",
        _MODULE,
        "act",
        name,
        str(seconds),
        str(room),
        str(pause_s),
        *map(str, included()),
    ]
    try:
        ended = subprocess.run(  # noqa: S603  this interpreter, words of our own
            words, capture_output=True, text=True, check=False, timeout=seconds + _GRACE_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OddcallError(
            f"the process that runs {name} did not end well", got=str(error)
        ) from error
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
        raise OddcallError(f"{name} did not end well", got=last[0])
    return _outcome(ended.stdout)


def _in_server(
    behaviour: Behaviour, seconds: float, pause_s: float, url: str, waiting: Callable[[], None]
) -> Outcome:
    refusal = SettingError(
        "a behaviour cannot be run there",
        expected="http://127.0.0.1:PORT of a demo server",
        got=url,
        fix="Start one: oddcall simulate serve",
    )
    host, port = host_and_port(url, refusal)
    if host not in ("127.0.0.1", "localhost"):
        raise refusal
    connection = http.client.HTTPConnection(host, port, timeout=seconds + _GRACE_S)

    def answer(method: str, path: str) -> str:
        try:
            connection.request(method, path, b"", _HEADER)
            answered = connection.getresponse()
            text = answered.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise _silent(url, error) from error
        if answered.status != http.client.OK:
            raise _not_run(behaviour.name, url, _why(text, answered.status))
        return text

    with closing(connection):
        try:
            connect(connection, waiting)
        except OSError as error:
            raise _silent(url, error) from error
        folder = _folder(answer("GET", "/simulate"), url)
        connection.close()  # making the prey may outlast what the server waits for the next
        with _prepared(behaviour, folder) as room:
            query = urlencode({"room": room.name, "seconds": seconds, "pause": pause_s})
            return _outcome(answer("POST", f"/simulate/{behaviour.name}?{query}"))


def _silent(url: str, error: Exception) -> OddcallError:
    return OddcallError(
        "the demo server does not answer",
        expected=f"an answer from {url}",
        got=str(error),
        fix="Start one: oddcall simulate serve",
    )


def _folder(text: str, url: str) -> Path:
    """Read where the server's behaviours have their rooms: a folder of whoever asks alone."""
    try:
        return private(Path(json.loads(text)["folder"]))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise OddcallError(
            f"what answers at {url} is not a demo server of this host",
            expected="the folder of its behaviours",
            got=str(error),
        ) from error


def _not_run(name: str, url: str, why: str) -> OddcallError:
    file = file_of(name)
    if file and _UNKNOWN in why:
        return SettingError(
            f"the demo server at {url} has no {name}: it was started without {file.name}",
            fix=f"Start one by `oddcall simulate serve --from {file.name}`, or run it in a new "
            "process by --via python.",
        )
    return OddcallError(f"the server at {url} did not run {name}", got=why.rstrip("."))


def _why(text: str, status: int) -> str:
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {status} from something that is not a demo server"


def _outcome(text: str) -> Outcome:
    try:
        return Outcome(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise OddcallError(
            "the answer is not one of a demo server", expected="an outcome", got=text[:80]
        ) from error
