"""How every program stands, with why and since when, over restarts.

==========  =========================================================================
collecting  too few windows for a baseline of its own yet
learning    windows enough, but it still shows something new
ready       judged by its own baseline, and may alert
drifting    its baseline moves, or what it does moves away from its baseline
stale       not seen for long, or learned so long ago that the baseline is old
forgotten   a person dropped its baseline: not judged until it is learned anew
unknown     never met in training, and nothing kept of it yet
==========  =========================================================================
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from oddcall.models.durations import format_duration
from oddcall.models.errors import OddcallError, SettingError
from oddcall.models.storage import write_whole
from oddcall.models.verdict import JUDGED_BY
from oddcall.models.window import Program, WindowBatch
from oddcall.service.alerts.alert import iso
from oddcall.service.board.standing import TOO_FEW_OTHERS, Standing, by_evidence, by_model
from oddcall.service.learning.evidence import Seen
from oddcall.service.state import unreadable

if TYPE_CHECKING:
    from oddcall.models.model import Model

_Taken = TypeVar("_Taken")

#: A baseline may be so many times older than a program may be unseen.
_OLD = 6
#: Between two times the states are written down.
_PACE_NS = 60_000_000_000
#: What drifted stays so over a restart until the new watch has seen enough to tell.
_TELLING_NS = 600_000_000_000
#: Programs remembered that the model does not know: whoever makes new ones must not fill memory.
_STRANGERS = 1024


@dataclass(frozen=True, slots=True)
class Since:
    """What is remembered of a program: its state, since when, when it was seen last, and why."""

    state: str
    since_ns: int
    seen_ns: int
    why: str = ""


class States:
    """The states of one watch.

    Parameters
    ----------
    path : Path
        Where they are kept; what an earlier watch wrote there is gone on with.
    model : callable
        Gives the model in use now.
    newcomer : callable
        Gives what a program has shown that is being learned, or None.
    stale_s : float
        Seconds without a window that make a baseline stale.
    min_windows : int
        Windows a baseline needs.
    say : callable
        Told once when they cannot be written.
    same : callable
        Gives the model's program that one of this host is.
    """

    def __init__(
        self,
        path: Path,
        model: Callable[[], Model],
        newcomer: Callable[[Program], Seen | None],
        stale_s: float,
        min_windows: int,
        say: Callable[[str], None],
        same: Callable[[Program], Program],
    ) -> None:
        self._same = same
        self._path, self._model, self._newcomer = path, model, newcomer
        self._stale_ns, self._min_windows, self._say = int(stale_s * 1e9), min_windows, say
        self._known = dict(_read(path))
        self._drifted = {
            program: since.why
            for program, since in self._known.items()
            if since.state == "drifting"
        }
        self._began_ns = 0
        self._now_ns = self._written_ns = 0
        self._looked_at: Model | None = None
        self._told_by: Callable[[Program], Standing] = by_evidence([], min_windows)
        self._learned_ns: dict[Program, int] = {}
        self._failed = False
        self._told: tuple[object, object] = (None, None)
        #: Says of programs that drift why they do.
        self.drifting: Callable[[Program], str] = lambda _program: ""

    def see(self, batch: WindowBatch) -> None:
        """Take a batch that was judged."""
        if not len(batch):
            return
        self._now_ns = int(batch.t_end_ns.max())
        self._began_ns = self._began_ns or self._now_ns
        # One turn a program of the batch, not a window.
        for number in np.unique(batch.program).tolist():
            program = self._same(batch.programs[number])
            before = self._known.get(program)
            if before is None and len(self._known) >= _STRANGERS + len(self._model().programs):
                continue
            known = before or Since("", self._now_ns, self._now_ns)
            self._known[program] = replace(known, seen_ns=self._now_ns)
        model = self._model()
        # What people said, or was learned, is looked up at once. The absolute gap: a clock set
        # back must not keep them from being written for hours.
        changed = model.tolerances is not self._told[0] or model.programs is not self._told[1]
        if changed or abs(self._now_ns - self._written_ns) >= _PACE_NS:
            self.write()

    def standing(self, program: Program) -> Standing:
        """Say how a program stands now."""
        return self._standing(program, self._by())

    def rows(self) -> list[dict[str, Any]]:
        """Give every program for a machine: forgotten ones, then those with their own baseline."""
        model = self._model()
        settled = {known.program: known for known in model.programs}
        by = self._by()
        rows = []
        for program in dict.fromkeys([*settled, *self._known]):
            standing = self._standing(program, by)
            since = self._since(program, standing.state)
            learned = settled.get(program)
            rows.append(
                {
                    **asdict(program),
                    "state": standing.state,
                    "why": standing.why,
                    "level": standing.level,
                    "windows": standing.windows,
                    "since": iso(since.since_ns) if since.since_ns else None,
                    "seen": iso(since.seen_ns) if since.seen_ns else None,
                    "learned": {"start": iso(learned.first_ns), "end": iso(learned.last_ns)}
                    if learned
                    else None,
                }
            )

        def place(row: dict[str, Any]) -> tuple[bool, bool, int]:
            return row["state"] != "forgotten", row["level"] != "program", -row["windows"]

        return sorted(rows, key=place)

    def write(self) -> None:
        """Write them down; a watch goes on where that cannot be done."""
        self._written_ns, model = self._now_ns, self._model()
        self._told = (model.tolerances, model.programs)
        told = {"written": iso(self._now_ns), "model": model.id, "programs": self.rows()}
        try:
            write_whole(self._path, json.dumps(told, separators=(",", ":")).encode())
        except OddcallError as error:
            if not self._failed:
                self._say(f"{error} The states of programs are not kept.")
            self._failed = True
        else:
            self._failed = False

    def _standing(self, program: Program, by: Callable[[Program], Standing]) -> Standing:
        home = self._same(program)
        told = by(home)
        if told.state == "ready":
            if why := self._stale(home):
                return replace(told, state="stale", why=why)
            if why := self.drifting(home) or self._drifted_before(home):
                return replace(told, state="drifting", why=why)
            return told
        seen = self._newcomer(program)
        if seen is None:
            return told
        fresh = by_evidence([seen], self._min_windows)(seen.program)
        if told.state == "forgotten":
            return replace(told, why=f"{told.why} {fresh.why}", windows=fresh.windows)
        why = fresh.why
        if told.level == "predecessor":
            why += " Its predecessor's baseline scores it meanwhile, without alerts."
        elif told.level == "unknown" and told.state == "collecting":
            why += f" {TOO_FEW_OTHERS}"
        state = "learning" if fresh.state == "ready" else fresh.state
        return replace(fresh, state=state, why=why, level=told.level)

    def _drifted_before(self, program: Program) -> str:
        """Why it drifted when the last watch ended, until this one can tell by itself."""
        if self._now_ns - self._began_ns >= _TELLING_NS:
            return ""
        return self._drifted.get(program, "")

    def _stale(self, program: Program) -> str:
        self._by()
        learned = self._learned_ns.get(program, 0)
        seen = self._known.get(program)
        quiet = self._now_ns - max(seen.seen_ns if seen else 0, learned)
        if quiet >= self._stale_ns:
            return f"It was not seen for {format_duration(quiet / 1e9)}."
        age = self._now_ns - learned
        if age >= _OLD * self._stale_ns:
            return f"Its baseline was learned {format_duration(age / 1e9)} ago."
        return ""

    def _by(self) -> Callable[[Program], Standing]:
        """Tell by the model in use, looked at once."""
        model = self._model()
        if model is not self._looked_at:
            self._told_by, self._looked_at = by_model(model), model
            self._learned_ns = {known.program: known.last_ns for known in model.programs}
        return self._told_by

    def _since(self, program: Program, state: str) -> Since:
        before = self._known.get(program, Since("", 0, 0))
        if before.state != state:
            before = replace(before, state=state, since_ns=self._now_ns)
            self._known[program] = before
        return before


def told_of(path: Path) -> dict[str, Any]:
    """Read what a watch wrote down.

    Raises
    ------
    SettingError
        When there is nothing, or nothing of use.
    PrivilegeError
        When it may not be read.
    """
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        told["programs"] = [dict(row) for row in told["programs"]]
        _ns(told.get("written"))
    except PermissionError as error:
        raise unreadable(path, error) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SettingError(
            f"no states of programs are known in {path.parent}",
            expected=f"what a watch writes there, {path.name}",
            got=error.strerror.lower() if isinstance(error, OSError) and error.strerror else "",
            fix="Name the watch's directory with --state-dir; `oddcall watch` fills it, "
            "once it has learned.",
        ) from error
    return told


def shown(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give what `table` can show of what ``told_of`` gave: rows that are as a watch writes them."""
    return [
        row
        for row in told["programs"]
        if all(isinstance(row.get(name), kind) for name, kind in _SHOWN.items())
        and isinstance(row.get("since"), str | None)
        and row["level"] in ("", *JUDGED_BY)
    ]


def written_ns(told: Mapping[str, Any]) -> int:
    """Tell when that was written down which ``told_of`` gave, UTC; 0 where it does not say."""
    return _ns(told.get("written"))


def begun(path: Path) -> Callable[[Program], int]:
    """Tell when the newest baseline of a program's place began to be learned, in ns UTC.

    By what a watch wrote down last in ``path``; 0 for a program of which nothing is written.
    """

    @cache
    def latest() -> dict[tuple[str, str, str], int]:
        found: dict[tuple[str, str, str], int] = {}
        for program, since_ns in _rows(path, lambda row: _ns((row["learned"] or {}).get("start"))):
            found[program.place] = max(found.get(program.place, 0), since_ns)
        return found

    return lambda program: latest().get(program.place, 0)


def _read(path: Path) -> list[tuple[Program, Since]]:
    def since(row: Mapping[str, Any]) -> Since:
        return Since(str(row["state"]), _ns(row["since"]), _ns(row["seen"]), str(row["why"]))

    return list(_rows(path, since))


def _rows(
    path: Path, take: Callable[[Mapping[str, Any]], _Taken]
) -> Iterator[tuple[Program, _Taken]]:
    """Give programs that were written down, each with what is taken of its row, if it can be."""
    try:
        rows = told_of(path)["programs"]
    except SettingError:
        return
    for row in rows:
        try:
            yield Program(**{name: row[name] for name in _IDENTITY}), take(row)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue


_IDENTITY = ("exe", "dev", "ino", "unit", "container")
_SHOWN: dict[str, type] = {
    **dict.fromkeys(("exe", "unit", "container", "state", "why", "level"), str),
    **dict.fromkeys(("dev", "ino", "windows"), int),
}


def _ns(time: str | None) -> int:
    from datetime import datetime

    if time is None:
        return 0
    moment = datetime.fromisoformat(time)
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


def table(rows: list[Mapping[str, Any]], most: int, names: list[str]) -> list[str]:
    """Lay states out as lines of 80 columns, each with why beneath it."""
    lines = [f"{'program':<24}  {'state':<10}  {'windows':>7}  {'judged by':<16} since"]
    for name, row in list(zip(names, rows, strict=True))[:most]:
        since = (row["since"] or "")[:16].replace("T", " ")
        by = JUDGED_BY[row["level"] or "unknown"]
        lines.append(
            f"{name:<24}  {row['state']:<10}  {row['windows']:>7,}  {by:<16} {since}".rstrip()
        )
        lines += textwrap.wrap(row["why"], 80, initial_indent="  ", subsequent_indent="  ")
    if len(rows) > most:
        lines.append(f"and {len(rows) - most} more (--most)")
    return lines
