"""Senses for a moment as another user with a few capabilities, then gives them up; reports JSON.

Arguments: user id, loader, a place to be written or "", and the capabilities, or "root".
"""

import ctypes
import json
import os
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy.char  # what is imported on first use must not be looked for later
import numpy.ma  # noqa: F401

from oddcall.models.errors import PrivilegeError
from oddcall.models.window import WindowBatch
from oddcall.sensor import loader_core, privilege
from oddcall.sensor.sensor import Sensor, SensorSettings

uid, loader, place, *names = sys.argv[1:]
# What lies here may lie below a folder that is closed to that user: seen from within it does not.
os.chdir(str(resources.files("oddcall.bpf")))
loader_core.resources.files = lambda _package: Path()
libc = ctypes.CDLL(None, use_errno=True)
# A process of root's to recognise, of a program that nobody else here runs.
other = subprocess.Popen(
    ["/bin/sh", "-c", f"while kill -0 {os.getpid()}; do sleep 0.02; done"],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)


def become() -> None:
    """Be that user, with these capabilities handed on to children: BCC compiles in one."""
    libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS: they survive the change of user
    os.setgroups([])
    os.setresgid(int(uid), int(uid), int(uid))
    os.setresuid(int(uid), int(uid), int(uid))
    sets = (privilege._Sets * 2)()
    for name in names:
        bit = privilege.NAMES.index(name)
        for kind in ("effective", "permitted", "inheritable"):
            word = sets[bit // 32]
            setattr(word, kind, getattr(word, kind) | 1 << bit % 32)
    assert not libc.capset(ctypes.byref(privilege._Header(0x20080522, 0)), ctypes.byref(sets))
    for name in names:
        assert not libc.prctl(47, 2, privilege.NAMES.index(name), 0, 0)  # PR_CAP_AMBIENT_RAISE


def sense() -> dict[str, object]:
    with Sensor(SensorSettings(interval_s=0.2, max_age_s=0.2, loader=loader)) as sensor:
        said = sensor.shed_privileges([Path(place)] if place else [])
        ticks = sensor.ticks()
        begun, seen, windows = time.monotonic(), False, []
        for tick in ticks:
            windows.append(tick.windows)
            seen |= bool((tick.windows.pid == other.pid).any())
            # A busy machine may not let the other run for a second.
            if time.monotonic() - begun > (1 if seen else 100):
                sensor.stop()
        batch = WindowBatch.concat(windows)
    theirs = batch.take(batch.pid == other.pid)
    threads = list(Path("/proc/self/task").iterdir())
    status = Path("/proc/self/status").read_text()
    return {
        "said": said,
        "calls": int(theirs.syscalls.counts.sum()),
        "complete": bool(len(theirs) and theirs.identity_complete.all()),
        "held": [" ".join(sorted(privilege.held("CapPrm", t / "status"))) for t in threads],
        "bounding": sorted(privilege.held("CapBnd")),
        "threads": len(threads),
        "no_new_privs": int(status.split("NoNewPrivs:")[1].split()[0]),
    }


if names != ["root"]:
    become()
try:
    print(json.dumps(sense()))
except PrivilegeError as error:
    print(json.dumps({"error": str(error)}))
finally:
    if names == ["root"]:
        other.kill()
# Who is no longer root cannot end it; it is told by its parent's end.
