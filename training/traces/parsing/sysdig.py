"""What sysdig writes, by default and in the two forms of LID-DS: which thread began which call.

Each event is a line, and a call is two: where it begins (``>``) and where it ends (``<``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from oddcall.models.errors import RecordingError

#: Name of a process, which may hold spaces; a thread; a call, or what sysdig has no name for.
_NAME, _THREAD, _CALL = rb".{0,64}?", rb"(?P<thread>-?\d+)", rb"(?P<call>[A-Za-z_]\w*|<unknown>)"
_WAY = rb"(?P<direction>[<>])"
#: What sysdig records that is no call (driver/event_table.c of https://github.com/draios/sysdig).
_NO_CALLS = {
    *(b"switch", b"procexit", b"signaldeliver", b"container", b"procinfo", b"cpu_hotplug"),
    *(b"drop", b"sysdigevent", b"k8s", b"mesos", b"notification", b"infra", b"tracer"),
    *(b"page_fault", b"pluginevent", b"asyncevent", b"NA"),
    *(b"useradded", b"userdeleted", b"groupadded", b"groupdeleted"),
}


class Form(NamedTuple):
    """How a line is written: for the machine, and for people."""

    line: re.Pattern[bytes]
    columns: str


#: By the year of the LID-DS that has it.
FORMS = {
    2019: Form(
        re.compile(
            rb"\d+ \S+ \d+ \S+ " + _NAME + b" " + _THREAD + b" " + _WAY + b" " + _CALL + rb"\s"
        ),
        "number time cpu user process thread direction call",
    ),
    2021: Form(
        re.compile(
            rb"\d+ \S+ -?\d+ " + _NAME + b" " + _THREAD + b" " + _CALL + b" " + _WAY + rb"\s"
        ),
        "time user pid process thread call direction",
    ),
}
#: Unless it is told otherwise.
_DEFAULT = Form(
    re.compile(
        rb"\d+ \S+ \d+ " + _NAME + rb" \(" + _THREAD + rb"\) " + _WAY + b" " + _CALL + rb"\s"
    ),
    "number time cpu process (thread) direction call",
)


def form_of(text: bytes) -> Form | None:
    """Tell by the first lines of a text in which form it is; None where it is of another kind."""
    lines = [line for line in text[:8192].splitlines()[:20] if line.strip()]
    # The last one may have been cut.
    head = lines[:-1] or lines
    for form in (*FORMS.values(), _DEFAULT):
        if head and all(form.line.match(line + b"\n") for line in head):
            return form
    return None


def events(lines: Iterable[bytes], form: Form, where: str) -> Iterator[tuple[str, bytes]]:
    """Give thread and name of each call where it begins.

    Raises
    ------
    RecordingError
        A line is of another form.
    """
    # One line a call: these files have no columns to take at once.
    for line in lines:
        if not (said := form.line.match(line + b"\n")):
            if line.isspace():
                continue
            raise RecordingError(
                f"a line of {where} is no system call",
                expected=f"{form.columns}, the direction > or <, the call a name",
                got=ascii(line[:60].decode("utf-8", "replace").strip()),
            )
        call = said["call"]
        if said["direction"] == b">" and call not in _NO_CALLS:
            yield said["thread"].decode(), call
