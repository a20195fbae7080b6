"""Which host this is: what recordings and alerts carry."""

from __future__ import annotations

import hashlib
import hmac
import os
import uuid
from pathlib import Path

#: Ours alone: the host's machine id must not leave the host, only what it hashes to under this.
_APPLICATION = uuid.UUID("5f0b6e9c-0f0e-4a53-9d0a-6c1b62f3a7d4").bytes


def describe(proc: Path = Path("/proc"), etc: Path = Path("/etc")) -> dict[str, str]:
    """Name the host, the boot and the kernel.

    Parameters
    ----------
    proc, etc : Path
        Where those two trees are mounted.

    Returns
    -------
    dict of str
        ``name`` (host name), ``id`` (stable across boots, 32 hexadecimal digits), ``boot_id``
        (new at every boot), ``kernel`` (release) and ``arch``. What cannot be read is ``""``.

    Notes
    -----
    ``id`` is derived from ``/etc/machine-id`` as ``sd_id128_get_machine_app_specific(3)`` does,
    since that file asks not to be published. A host without one (a bare container image, a
    first boot) is told apart by its name only.
    """
    kernel = proc / "sys/kernel"
    name = _line(kernel / "hostname")
    return {
        "name": name,
        "id": _host_id(_line(etc / "machine-id"), name),
        "boot_id": _line(kernel / "random/boot_id"),
        "kernel": _line(kernel / "osrelease"),
        "arch": os.uname().machine,
    }


def _host_id(machine: str, name: str) -> str:
    try:
        key = uuid.UUID(hex=machine).bytes
    except ValueError:
        # Absent, empty, or the word "uninitialized" of a first boot.
        key = b"host name " + name.encode("utf-8", "backslashreplace")
    digest = hmac.new(key, _APPLICATION, hashlib.sha256).digest()[:16]
    return uuid.UUID(bytes=digest, version=4).hex


def _line(path: Path) -> str:
    try:
        return path.read_text("utf-8", "backslashreplace").strip()
    except OSError:
        return ""
