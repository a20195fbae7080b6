"""Ground truth of a recording: what was done to the host, where and when.

A file of JSON objects, one a line or as a list, or of comma-separated values with a header::

    {"name": "port-scan", "pid": 4711, "start": 1764104400.0, "end": 1764104402.5}
    {"name": "drip", "program": "/usr/sbin/nginx", "start": "2026-11-25T21:00:00Z", "end": ...}

A line of ``oddcall simulate run NAME --json`` is such an object. Keys that are not known are
passed over.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from oddcall.models.errors import RecordingError, SettingError, reason
from oddcall.models.storage import write_whole

_NO = {"false", "no", "0"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: No time in seconds is so large for three thousand years; in another unit every time of today is.
_FINER = ((10**17, "nanoseconds"), (10**14, "microseconds"), (10**11, "milliseconds"))
#: The kernel numbers no process higher (``PID_MAX_LIMIT`` in ``include/linux/threads.h``).
_LAST_PID = 2**22


@dataclass(frozen=True, slots=True)
class Label:
    """One attack.

    Attributes
    ----------
    name : str
        What was done, such as ``"port-scan"``.
    start_ns, end_ns : int
        When, nanoseconds UTC.
    pid : int or None
        Process it was done in. Its windows in that time are the attack, and so are those of
        what it forked or became.
    program : str
        Path of the executable; without ``pid`` every process of it is meant, with ``pid`` it is
        for people only. Without both the whole host is.
    technique : str
        Such as ``"T1046"``.
    visible : bool
        False for what counts of calls cannot show: it is listed, but no miss.
    host : str
        Id of the host whose recordings it is in; ``""`` for any.
    failure : str
        Why it was not done to its end: it is listed, but neither found nor missed.
    """

    name: str
    start_ns: int
    end_ns: int
    pid: int | None = None
    program: str = ""
    technique: str = ""
    visible: bool = True
    host: str = ""
    failure: str = ""

    @property
    def counts(self) -> bool:
        """Whether recall speaks of it: counts of calls can show it, and it was done."""
        return self.visible and not self.failure

    def as_dict(self) -> dict[str, object]:
        """Everything, fit for JSON; times in seconds since the epoch."""
        return {
            "name": self.name,
            "start": round(self.start_ns / 1e9, 6),
            "end": round(self.end_ns / 1e9, 6),
            "pid": self.pid,
            "program": self.program,
            "technique": self.technique,
            "visible": self.visible,
            "host": self.host,
            "failure": self.failure,
        }


def read_labels(path: Path | str) -> list[Label]:
    """Read a file of labels, earliest first.

    Raises
    ------
    SettingError
        When it cannot be read.
    RecordingError
        When a line of it is no label.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingError(
            f"the labels {path} cannot be read",
            expected="JSON lines or comma-separated values",
            got=reason(error),
        ) from error
    except UnicodeDecodeError as error:
        raise RecordingError(
            f"{path} holds no labels", expected="text in UTF-8", got="bytes that are none"
        ) from error
    found = [_label(entry, f"{where} of {path}") for where, entry in _entries(text, path)]
    return sorted(found, key=lambda label: label.start_ns)


def write_labels(path: Path | str, labels: Iterable[Label]) -> None:
    """Write labels as JSON lines; raises StorageError when it cannot."""
    lines = "".join(f"{json.dumps(label.as_dict())}\n" for label in labels)
    write_whole(Path(path), lines.encode())


def _entries(text: str, path: Path | str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give every object with where it stands."""
    begin = text.lstrip()[:1]
    if begin == "[":
        for i, entry in enumerate(_json(text, f"the list of {path}"), 1):
            yield f"entry {i}", entry
    elif begin == "{":
        for i, line in enumerate(text.splitlines(), 1):
            if line.strip():
                yield f"line {i}", _json(line, f"line {i} of {path}")
    else:
        reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
        try:
            for entry in reader:
                yield f"line {reader.line_num}", {k: v for k, v in entry.items() if k and v}
        except csv.Error as error:
            raise _bad(f"line {reader.reader.line_num} of {path}", str(error)) from error


def _json(text: str, where: str) -> Any:  # noqa: ANN401  whatever the file holds
    try:
        return json.loads(text)
    except ValueError as error:
        raise RecordingError(
            f"{where} is not JSON", expected='such as {"name": ..., "start": ..., "end": ...}',
            got=ascii(text.strip()[:40]),
        ) from error  # fmt: skip


def _label(entry: Mapping[str, Any], where: str) -> Label:
    try:
        start, end = (_ns(entry[key]) for key in ("start", "end"))
        pid = entry.get("pid")
        label = Label(
            name=str(entry.get("attack") or entry["name"]),
            start_ns=start,
            end_ns=end,
            pid=None if pid in (None, "") else _pid(pid),
            program=str(entry.get("program") or ""),
            technique=str(entry.get("technique") or ""),
            visible=str(entry.get("visible", True)).lower() not in _NO,
            host=str(entry.get("host") or ""),
            failure=str(entry.get("failure") or ""),
        )
    except KeyError as error:
        raise _bad(where, f"none named {error.args[0]}") from error
    except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise _bad(where, str(error)) from error
    if end < start:
        raise _bad(where, "an end before the start")
    return label


def _bad(where: str, got: str) -> RecordingError:
    return RecordingError(
        f"{where} is no label",
        expected="name, start and end (seconds since the epoch, or ISO 8601 with an offset)",
        got=got,
    )


def _pid(value: Any) -> int:  # noqa: ANN401  whatever the file holds
    pid = int(value)
    if not 0 < pid <= _LAST_PID:
        raise ValueError(f"a pid of {str(value)[:24]}")
    return pid


def _ns(value: object) -> int:
    """Nanoseconds UTC of a number of seconds or of a date, to the microsecond."""
    if isinstance(value, bool):
        raise ValueError("a truth value for a time")  # noqa: TRY004  one kind of refusal
    try:
        # Decimal: seconds since the epoch to the microsecond are at the edge of a float.
        seconds = Decimal(str(value))
    except InvalidOperation:
        time = datetime.fromisoformat(str(value))
    else:
        if not seconds.is_finite():
            raise ValueError(f"{seconds} for a time")
        if seconds < 0:
            raise ValueError(f"{str(value)[:24]}, before 1970")
        for least, unit in _FINER:
            if seconds >= least:
                raise ValueError(f"{str(value)[:24]}, which are {unit}")
        return round(seconds * 1_000_000) * 1000
    if time.tzinfo is None:
        raise ValueError(f"no offset in {value}")
    return (time.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1) * 1000
