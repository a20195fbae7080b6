"""What strace prints: which process made which call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

#: What strace prints, with -f, -t, -r or -i too; what is not a call begins otherwise.
_BEFORE = rb"^ *(?:\[pid +(\d+)\] +|(\d+) +)?(?:\d+[:.][\d:.]+ +)?(?:\[[0-9a-f?]+\] +)?"
_CALL = re.compile(_BEFORE + rb"([a-z_]\w*)\(")
_ELSE = re.compile(_BEFORE + rb"(\+\+\+|---|<\.\.\.|<unfinished |\?\?\?\?|strace: |Process \d+ )")
_ENDED = re.compile(_BEFORE + rb"\+\+\+ ")
#: It may follow the beginning of the call that made the process.
_ATTACHED = re.compile(rb"(?:^|strace: )Process (\d+) attached\s*$")


def is_strace(text: bytes) -> bool:
    """Tell by its first lines whether a text is what strace printed."""
    head = [line for line in text[:8192].splitlines()[:20] if line.strip()]
    said = [line for line in head if not _ELSE.match(line)]
    return bool(said) and all(_CALL.match(line) for line in said[:-1] or said)


def events(lines: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Give process and name of each call where it begins.

    Where strace -f prints to a terminal it names no process while there is but one. Such lines are
    of the one that is left, and of the first where more are. That one is called ``""``, also where
    it is named: it is the one that is met without having been attached.
    """
    living, attached = {""}, set[str]()
    first, unnamed = "", False
    for line in lines:
        if new := _ATTACHED.search(line):
            attached.add(new[1].decode())
            living.add(new[1].decode())
        call, ended = _CALL.match(line), _ENDED.match(line)
        if not (said := call or ended):
            continue
        process = (said[1] or said[2] or b"").decode()
        if process and not first and unnamed and process not in attached:
            first = process
        if not process:
            unnamed = True
            process = next(iter(living)) if len(living) == 1 else ""
        elif process == first:
            process = ""
        if ended:
            living.discard(process)
        elif call:
            yield process, call[3]
