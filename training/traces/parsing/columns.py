"""Columns of a table of traces, by the names that public sets and tracers give them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

#: Names of a column, in small letters and without what is between words; where a table has
#: several, the first of these counts.
CALLS = (
    *("syscall", "syscalls", "syscallname", "syscallnames", "syscallnr", "syscallid"),
    *("syscallno", "syscallnum", "syscallnumber", "syscallsequence", "syscallsequences"),
    *("syscalltrace", "syscalltraces", "syscalllist", "systemcall", "systemcalls"),
    *("systemcallname", "systemcallsequence", "systemcalltrace", "call", "calls"),
    *("sequence", "trace", "eventname", "sysnum", "sysno", "sysnr", "nr"),
)
PROCESS = ("pid", "processid", "proid", "tgid", "tid", "threadid")
#: What stands before the number in names of columns with a call each, in order: ``t_0``, ``t_1``.
#: A number behind other words may be that of a call which is counted.
STEP = frozenset(("t", "step", "timestep", "pos", "position"))
#: So many such columns make a trace.
_FEWEST_STEPS = 3
#: What numbers the traces of a table, with or without processes in them.
TRACE = (
    *("traceid", "traceno", "tracenumber", "tracename", "tracefile", "sequenceid", "sessionid"),
    *("sampleid", "runid", "recordingid", "executionid"),
)
#: What else tells processes apart: numbers come again on another host and in another container.
HOST = ("host", "hostname", "hostid", "nodename")
CONTAINER = ("container", "containerid", "containername")
#: Where a call is two rows, which of them this is, as sysdig and perf have it.
WAY = ("direction", "dir", "evtdir", "eventdirection", "syscalldirection")
#: Words of them, in small letters.
BEGINS, ENDS = frozenset((">", "enter", "entry")), frozenset(("<", "exit", "return"))
LABEL = (
    *("label", "labels", "isattack", "attack", "malicious", "ismalicious", "evil", "class"),
    *("attackcat", "attackcategory", "attacktype", "anomaly", "isanomaly", "anomalous"),
    *("malware", "ismalware"),
)
#: Names that other columns have as well: these are labels where a word of them is of what is
#: normal.
MAYBE_LABEL = ("target", "y", "type")
_TIME = ("time", "timestamp", "ts", "date", "datetime")
#: Columns that are named of those that a table has.
_NAMED = 12


def column(names: Iterable[str], known: tuple[str, ...]) -> str | None:
    """Name, as it is written, of the first of these columns that there is."""
    given = {plain_name(name): name for name in names}
    return next((given[name] for name in known if name in given), None)


def plain_name(name: str) -> str:
    """Write the name of a column as the lists here have it."""
    return re.sub(r"[\W_]+", "", name.lower())


def steps(names: Iterable[str]) -> tuple[str, list[str]]:
    """Name the columns that are numbered one after another, from 0 or 1.

    Returns
    -------
    What stands before their numbers, and their names as they are written; ``""`` and none where
    fewer than three follow each other.
    """
    by_prefix: dict[str, list[str]] = {}
    for name in names:
        if said := re.fullmatch(r"\s*(.*?)0*(\d{1,9})\s*", name):
            run = by_prefix.setdefault(said[1], [])
            first = int(re.findall(r"\d+", run[0])[-1]) if run else min(int(said[2]), 1)
            if int(said[2]) == first + len(run):
                run.append(name)
    prefix, longest = max(by_prefix.items(), key=lambda run: len(run[1]), default=("", []))
    return (prefix, longest) if len(longest) >= _FEWEST_STEPS else ("", [])


def calls_in_order(names: Iterable[str]) -> list[str]:
    """Name the columns of a table that hold a call each, in order; none where names say no such."""
    prefix, numbered = steps(names)
    return numbered if plain_name(prefix) in STEP else []


def is_known(name: str) -> bool:
    """Whether a column of that name stands beside calls in tables of them."""
    return plain_name(name) in {*PROCESS, *TRACE, *LABEL, *MAYBE_LABEL, *_TIME}


def cells(line: bytes) -> list[str]:
    """Split a line at what most likely divides its cells; at white space where nothing does."""
    text = " ".join(line.decode("utf-8", "replace").split("\r")).strip(" \n")
    with any_length(len(text)):
        try:
            return next(csv.reader([text], delimiter=delimiter(text), skipinitialspace=True), [])
        except csv.Error:
            return []


def delimiter(line: str) -> str:
    """Give what divides the cells of a line."""
    most = max(",;\t|", key=line.count)
    # The only column may be named in two words, and its cells are of many.
    return most if most in line or plain_name(line) in CALLS else " "


@contextmanager
def any_length(size: int) -> Iterator[None]:
    """Let cells be so long: a trace is one. The limit is of the whole process: it is put back."""
    before = csv.field_size_limit()
    csv.field_size_limit(max(before, size))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def listed(names: Iterable[str]) -> str:
    """Name columns, and how many more there are: ``"pid, call and 3 more"``."""
    each = [ascii(name.strip()[:24])[1:-1] or "one without a name" for name in names]
    more = len(each) - _NAMED
    return ", ".join(each[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def column_fix() -> str:
    """Say how the columns of a table are to be named."""
    return (
        "Let the first line name the columns: that of the calls, one a row or all of a trace in one"
        " cell, syscall (or syscalls, system_calls, syscall_name, syscall_nr, sequence, trace), or"
        " of a call each t_0, t_1 and so on; if there are such, that of the processes pid (or tid,"
        " trace_id) and that of attack or normal label (or class, target, type, attack_cat,"
        " is_malicious, anomaly). Others are passed over."
    )
