#!/usr/bin/env python3
"""Write the call-name tables in models/calls/ from the kernel's own installed headers.

Usage: scripts/calls.py USR

USR is the ``usr`` folder of an unpacked ``linux-libc-dev`` package that holds the headers of
every architecture (Debian's from 6.12 on do)::

    apt-get download linux-libc-dev && dpkg-deb -x linux-libc-dev_*.deb headers
    scripts/calls.py headers/usr
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TABLES = Path(__file__).resolve().parent.parent / "models" / "calls"

#: Table -> header under USR/lib/linux/uapi.
CALL_HEADERS = {
    "x86_64": "x86/asm/unistd_64.h",
    "x86_32": "x86/asm/unistd_32.h",
    "aarch64": "arm64/asm/unistd_64.h",
    "arm_32": "arm/asm/unistd-eabi.h",
}
#: A number, or on 32-bit ARM a number added to a base that is 0 under EABI.
CALL = re.compile(r"^#define __NR_(\w+)\s+(?:\(__NR_SYSCALL_BASE \+ )?(\d+)\)?$", re.MULTILINE)
OPCODE = re.compile(r"^\tIORING_OP_(\w+),$", re.MULTILINE)


def calls(header: str) -> dict[int, str]:
    """Names by number in a ``unistd`` header; ``__NR_syscalls`` is a count, not a call."""
    return {int(n): name for name, n in CALL.findall(header) if name != "syscalls"}


def opcodes(header: str) -> dict[int, str]:
    """Names by value in ``io_uring.h``: the enumeration begins at 0 and has no gaps."""
    names = [name.lower() for name in OPCODE.findall(header)]
    return dict(enumerate(names[: names.index("last")]))


def version(header: str) -> str:
    """Kernel release in ``version.h``."""
    return ".".join(re.findall(r"LINUX_VERSION_(?:MAJOR|PATCHLEVEL|SUBLEVEL) (\d+)", header))


def write(table: str, names: dict[int, str], release: str) -> None:
    """Write one table, in order of number."""
    rows = "".join(f"{number}\t{name}\n" for number, name in sorted(names.items()))
    (TABLES / f"{table}.tsv").write_text(f"# Linux {release}, by scripts/calls.py\n{rows}")
    print(f"{table}: {len(names)} names, the last is {max(names)} {names[max(names)]}")


def main(usr: Path) -> None:
    """Write every table."""
    include = usr / "include" / "linux"
    release = version((include / "version.h").read_text())
    for table, header in CALL_HEADERS.items():
        write(table, calls((usr / "lib/linux/uapi" / header).read_text()), release)
    write("io_uring", opcodes((include / "io_uring.h").read_text()), release)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
