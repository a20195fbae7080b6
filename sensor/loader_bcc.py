"""Loader ``bcc``: compiles on the host at start, with the distribution's BCC, without headers."""

from __future__ import annotations

import functools
import os
import platform
import re
import sys
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from oddcall.models.errors import KernelError
from oddcall.models.transitions import SEED
from oddcall.sensor import bytecode
from oddcall.sensor.btf import kernel_layout
from oddcall.sensor.loader import HOT_HOOK, THREADS

#: Where distributions put the bindings. PyPI's ``bcc`` is another project altogether.
BINDINGS = Path("/usr/lib/python3/dist-packages")


@functools.cache
def import_bcc() -> ModuleType:
    """Import the distribution's BCC bindings into whatever interpreter this is.

    Raises
    ------
    KernelError
        If they are not installed, or another package of that name is in the way.
    """
    # Last on the path: that folder holds old versions of packages the environment has too.
    if BINDINGS.is_dir() and str(BINDINGS) not in sys.path:
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


class BccLoader:
    """See `oddcall.sensor.loader.Loader`."""

    name: ClassVar[str] = "bcc"
    #: Further flags for the compiler; the benchmark leaves parts of the program out by them.
    flags: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self._bpf: Any = None
        self._descriptors: list[int] = []

    def load(self, slots: int, uring_tracepoint: str) -> None:
        """Compile the program and load every function of it."""
        bcc = import_bcc()
        folder = resources.files("oddcall.bpf")
        offsets = kernel_layout(platform.machine()).offsets
        flags = [
            f"-I{folder}",
            f"-DLINUX_VERSION_CODE={_version_code()}",
            f"-DOC_SLOTS={slots}",
            f"-DOC_THREADS={THREADS}",
            f"-DOC_SEED={SEED}",
            *(f"-D{macro}={value}" for macro, value in offsets.items()),
            *([] if uring_tracepoint else ["-DOC_NO_URING"]),
            *self.flags,
        ]
        # BCC looks for kernel headers here; the stubs are all that the program needs.
        os.environ["BCC_KERNEL_SOURCE"] = str(folder.joinpath("stubs"))
        text = folder.joinpath("bcc.h").read_bytes() + folder.joinpath("oddcall.c").read_bytes()
        try:
            # Bytes, here and below, but for the flags: BCC warns of anything else.
            self._bpf = bcc.BPF(text=text, cflags=flags)
        except Exception as error:  # BCC raises nothing narrower
            raise KernelError(
                "BCC cannot compile the program or the kernel refuses it",
                expected="a BCC of 0.25 or later",
                got=f"{error} (BCC {bcc.__version__})",
                fix="Try the other loader: --loader core",
            ) from error

    def attach(self, tracepoint: str, function: str) -> None:
        """Run one function of the program at a raw tracepoint from now on."""
        if function == HOT_HOOK:
            self._attach_typed(function)
            return
        try:
            self._bpf.attach_raw_tracepoint(tp=tracepoint.encode(), fn_name=function.encode())
        except Exception as error:  # BCC raises nothing narrower
            raise KernelError(
                f"BCC cannot attach to the raw tracepoint {tracepoint}", got=str(error)
            ) from error

    def map_fd(self, name: str) -> int:
        """Descriptor of a map."""
        return int(self._bpf[name.encode()].map_fd)

    def close(self) -> None:
        """Detach and unload."""
        while self._descriptors:
            os.close(self._descriptors.pop())
        if self._bpf is not None:
            self._bpf.cleanup()
            self._bpf = None

    def _attach_typed(self, function: str) -> None:
        # BCC compiles it, but cannot load it: it does not know typed raw tracepoints.
        code = self._bpf.dump_func(function.encode())
        kind = kernel_layout(platform.machine()).sys_exit_type
        program = bytecode.load(function, code, kind)
        self._descriptors.append(program)
        self._descriptors.append(bytecode.attach(program))


def _version_code() -> int:
    numbers = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", platform.release())
    major, minor, patch = (int(n or 0) for n in numbers.groups()) if numbers else (5, 8, 0)
    return (major << 16) + (minor << 8) + min(patch, 255)
