"""Becomes a command under a seccomp profile, as a container runtime does: through libseccomp.

Arguments: the profile, and the command.
"""

import ctypes
import json
import os
import sys
from pathlib import Path

ACTIONS = {"SCMP_ACT_ALLOW": 0x7FFF0000, "SCMP_ACT_LOG": 0x7FFC0000, "SCMP_ACT_ERRNO": 0x00050000}
ARCHITECTURES = {
    "SCMP_ARCH_X86_64": 0xC000003E,
    "SCMP_ARCH_X86": 0x40000003,
    "SCMP_ARCH_X32": 0x4000003E,
    "SCMP_ARCH_AARCH64": 0xC00000B7,
    "SCMP_ARCH_ARM": 0x40000028,
}

library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
profile = json.loads(Path(sys.argv[1]).read_text())
default = ACTIONS[profile["defaultAction"]] | profile.get("defaultErrnoRet", 0)
context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(default)))
native = library.seccomp_arch_native() & 0xFFFFFFFF
for name in profile["architectures"]:
    if ARCHITECTURES[name] != native:
        assert library.seccomp_arch_add(context, ctypes.c_uint32(ARCHITECTURES[name])) == 0, name
unknown = []
for entry in profile["syscalls"]:
    for name in entry["names"]:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number == -1:
            unknown.append(name)
            continue
        action = ctypes.c_uint32(ACTIONS[entry["action"]])
        assert library.seccomp_rule_add_array(context, action, number, 0, None) == 0, name
print(json.dumps(unknown), flush=True)
assert library.seccomp_load(context) == 0
os.execvp(sys.argv[2], sys.argv[2:])
