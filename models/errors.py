"""What can go wrong, as a tree. Every error is one sentence a person can act on.

::

    OddcallError                exit 1   anything below, or a bug in a check of ours
    ├── SettingError            exit 2   a flag, a variable or a line of the configuration
    ├── PrivilegeError          exit 3   not allowed to load a program or read a process
    ├── KernelError             exit 4   the kernel or the loader lacks something
    ├── RecordingError          exit 5   a recording is foreign, corrupt or of another schema
    ├── BundleError             exit 6   a model bundle is foreign, corrupt or not trusted
    ├── StorageError            exit 7   the disk is full or a place cannot be written
    └── EvidenceError           exit 8   too little was seen to train or to judge

The exit codes are part of the command line's contract (see the README).
"""

from __future__ import annotations

from typing import ClassVar


def reason(error: OSError) -> str:
    """Say why the system refused, as it goes into a sentence: ``"permission denied"``."""
    return (error.strerror or str(error)).lower()


class OddcallError(Exception):
    """Says what was wrong, what was expected, what was got, and what to do next.

    Parameters
    ----------
    what : str
        The fact, as a short clause: ``"the recording cannot be read"``.
    expected : str, default ""
        What would have been right.
    got : str, default ""
        What was found instead.
    fix : str, default ""
        What to type or change.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, expected: str = "", got: str = "", fix: str = "") -> None:
        self.what = what
        self.expected = expected
        self.got = got
        self.fix = fix
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [self.what]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.got:
            parts.append(f"got {self.got}")
        sentence = "; ".join(parts)
        return f"{sentence}. {self.fix}" if self.fix else f"{sentence}."


class SettingError(OddcallError):
    """A flag, an environment variable or a line of the configuration is not usable."""

    exit_code: ClassVar[int] = 2


class PrivilegeError(OddcallError):
    """The process may not do what the command needs."""

    exit_code: ClassVar[int] = 3


class KernelError(OddcallError):
    """The kernel, or the library that loads programs into it, lacks something."""

    exit_code: ClassVar[int] = 4


class RecordingError(OddcallError):
    """A recording is foreign, corrupt, or written under another schema."""

    exit_code: ClassVar[int] = 5


class BundleError(OddcallError):
    """A model bundle is foreign, corrupt, of another schema, or not trusted."""

    exit_code: ClassVar[int] = 6


class StorageError(OddcallError):
    """A file or a folder cannot be written: a full disk, a read-only place."""

    exit_code: ClassVar[int] = 7


class EvidenceError(OddcallError):
    """Too little was seen to train on, or to judge by."""

    exit_code: ClassVar[int] = 8
