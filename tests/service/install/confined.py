"""Becomes a command under the restrictions of a systemd unit, as far as a process can by itself.

Arguments: the unit, a folder that may be written to, and the command. Applied are the file
system (read-only but for that folder), capabilities, no_new_privs, memory that is never both
writable and executable, and the filter of system calls.
"""

import ctypes
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

from oddcall.sensor import privilege

unit, folder, *command = sys.argv[1:]
settings = dict(re.findall(r"^(\w+)=(.*)$", Path(unit).read_text(), re.MULTILINE))
libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    assert result == 0, f"{what}: {os.strerror(ctypes.get_errno())}"


def mount(source: bytes | None, target: bytes, flags: int) -> None:
    checked(libc.mount(source, target, None, ctypes.c_ulong(flags), None), f"mount {target!r}")


def filtered(groups: str) -> set[str]:
    """Calls of a filter's groups, as systemd itself tells them."""
    found, words = set(), groups.split()
    while words:
        word = words.pop()
        if not word.startswith("@"):
            found.add(word)
            continue
        told = subprocess.run(
            ["systemd-analyze", "syscall-filter", "--no-pager", word],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        lines = [line.strip() for line in told.stdout.splitlines() if line.startswith("    ")]
        words += [line for line in lines if line and not line.startswith("#")]
    return found


allowed = filtered(settings["SystemCallFilter"])

assert settings["ProtectSystem"] == "strict"
checked(libc.unshare(0x00020000), "unshare")  # CLONE_NEWNS
mount(None, b"/", 0x4000 | 0x40000)  # MS_REC | MS_PRIVATE
mount(folder.encode(), folder.encode(), 0x1000)  # MS_BIND
mount(None, b"/", 0x1000 | 0x20 | 1)  # MS_BIND | MS_REMOUNT | MS_RDONLY

kept = frozenset(settings["CapabilityBoundingSet"].split())
for bit, name in enumerate(privilege.NAMES):
    if name not in kept:
        libc.prctl(24, bit, 0, 0, 0)  # PR_CAPBSET_DROP
assert settings["MemoryDenyWriteExecute"] == "yes"
if libc.prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE, Linux 6.3
    assert ctypes.get_errno() == errno.EINVAL
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(0x00050000 | errno.EPERM)))
for name in allowed:
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number != -1:
        library.seccomp_rule_add_array(context, ctypes.c_uint32(0x7FFF0000), number, 0, None)
assert settings["NoNewPrivileges"] == "yes"
privilege._set(effective=kept, permitted=kept)
checked(library.seccomp_load(context), "seccomp")
os.environ["TMPDIR"] = folder
os.execv(command[0], command)
