"""Compiles and loads with BCC in a process of its own, and hands over what it loaded.

``python -m oddcall.sensor.compile_bcc SOCKET`` reads a `Request` as JSON from standard input and
answers on the inherited socket: descriptors of the maps and the programs, or the words of a
`KernelError`. BCC, and the 130 MB of LLVM and Clang in it, end with the process; so does what
they print, and whatever may go wrong in them.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

from oddcall.models.errors import KernelError
from oddcall.sensor import bytecode

#: Where distributions put the bindings. PyPI's ``bcc`` is another project altogether.
BINDINGS = Path("/usr/lib/python3/dist-packages")
#: More descriptors and names than the program has.
_MOST, _BYTES = 64, 65536
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Request:
    """What to compile.

    Attributes
    ----------
    flags : list of str
        For the compiler.
    maps : list of str
        Maps to hand over.
    functions : list of str
        Programs for raw tracepoints.
    typed : dict of str to int
        Programs for typed raw tracepoints, with the tracepoint's type in the kernel's BTF.
    """

    flags: list[str]
    maps: list[str]
    functions: list[str]
    typed: dict[str, int]


def compile_apart(request: Request) -> dict[str, int]:
    """Have it done in a child.

    Returns
    -------
    dict of str to int
        Descriptor of every map and program asked for; the caller closes them.

    Raises
    ------
    KernelError
        If BCC is missing, cannot compile, or is refused by the kernel.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = _child(theirs.fileno())
        theirs.close()
        try:
            _, printed = child.communicate(json.dumps(asdict(request)).encode(), _PATIENCE_S)
        except subprocess.TimeoutExpired:
            printed = f"error: no end after {_PATIENCE_S:.0f} s".encode()
        finally:
            child.kill()
            child.wait()
        text, descriptors, _, _ = socket.recv_fds(ours, _BYTES, _MOST)
    if descriptors:
        return dict(zip(json.loads(text), descriptors, strict=True))
    raise _error(json.loads(text) if text else {}, printed.decode(errors="replace"), child)


def _child(answer: int) -> subprocess.Popen[bytes]:
    try:
        # -P: nothing is imported from wherever the command was started.
        return subprocess.Popen(  # noqa: S603  our own module
            [sys.executable, "-P", "-m", __spec__.name, str(answer)],
            pass_fds=[answer],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # Ctrl-C is for the command that asked.
            start_new_session=True,
        )
    except OSError as error:
        # As where the interpreter lies below a folder that this user may not enter.
        raise KernelError(
            "a process to compile in cannot be started",
            expected=f"{sys.executable} to be run by user id {os.geteuid()}",
            got=str(error.strerror).lower(),
            fix="Install oddcall where that user can read it, or try --loader core.",
        ) from error


def _error(words: dict[str, str], printed: str, child: subprocess.Popen[bytes]) -> KernelError:
    """Say what went wrong; of what BCC printed, the first line that names an error."""
    lines = printed.strip().splitlines()
    telling = next((line for line in lines if "error" in line), lines[-1] if lines else "")
    if not words:
        return KernelError(
            "BCC ended before it had compiled the program",
            got=f"exit code {child.returncode} ({telling or 'it said nothing'})",
            fix="Try the other loader: --loader core",
        )
    got = words.pop("got")
    return KernelError(**words, got=f"{got}: {telling}" if telling else got)


def import_bcc() -> ModuleType:
    """Import the distribution's BCC bindings into whatever interpreter this is.

    Raises
    ------
    KernelError
        If they are not installed, or another package of that name is in the way.
    """
    # Last on the path: that folder holds old versions of packages the environment has too.
    sys.path.append(str(BINDINGS))
    try:
        import bcc
    except (ImportError, OSError) as error:
        raise KernelError(
            "the BCC bindings cannot be imported",
            expected="the distribution's python3-bpfcc",
            got=str(error),
            fix="Type: apt-get install python3-bpfcc",
        ) from error
    if not hasattr(bcc, "BPF"):
        raise KernelError(
            "another package named bcc is in the way",
            expected=f"the distribution's python3-bpfcc in {BINDINGS}",
            got=str(bcc.__file__),
            fix="Type: pip uninstall bcc",
        )
    module: ModuleType = bcc
    return module


def _load(request: Request) -> tuple[Any, dict[str, int]]:
    """Compile and load; the first of the pair keeps the descriptors open."""
    bcc = import_bcc()
    folder = resources.files("oddcall.bpf")
    # BCC looks for kernel headers here; the stubs are all that the program needs.
    os.environ["BCC_KERNEL_SOURCE"] = str(folder.joinpath("stubs"))
    text = folder.joinpath("bcc.h").read_bytes() + folder.joinpath("oddcall.c").read_bytes()
    try:
        # Bytes, here and below, but for the flags: BCC warns of anything else.
        bpf = bcc.BPF(text=text, cflags=[f"-I{folder}", *request.flags])
        loaded = {name: int(bpf[name.encode()].map_fd) for name in request.maps}
        for name in request.functions:
            loaded[name] = int(bpf.load_func(name.encode(), bcc.BPF.RAW_TRACEPOINT).fd)
    except Exception as error:  # BCC raises nothing narrower
        raise KernelError(
            "BCC cannot compile the program or the kernel refuses it",
            expected="a BCC of 0.25 or later",
            got=f"{error} (BCC {bcc.__version__})",
            fix="Try the other loader: --loader core",
        ) from error
    for name, kind in request.typed.items():
        # BCC compiles it, but cannot load it: it does not know typed raw tracepoints.
        loaded[name] = bytecode.load(name, bpf.dump_func(name.encode()), kind)
    return bpf, loaded


def main() -> None:
    """Answer one request."""
    request = Request(**json.load(sys.stdin))
    with socket.socket(fileno=int(sys.argv[1])) as answer:
        try:
            keeper, loaded = _load(request)
        except KernelError as error:
            words = {key: getattr(error, key) for key in ("what", "expected", "got", "fix")}
            answer.send(json.dumps(words).encode())
        else:
            socket.send_fds(answer, [json.dumps(list(loaded)).encode()], list(loaded.values()))
            keeper.cleanup()


if __name__ == "__main__":
    main()
