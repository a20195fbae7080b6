"""A model whose odd call is known, and windows of it, so that the loop needs no kernel."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from oddcall.models.explanation.explanation import Feature
from oddcall.models.features import FeatureSpec
from oddcall.models.model import Model
from oddcall.models.sparse import Sparse
from oddcall.models.tolerance import Tolerances
from oddcall.models.verdict import Verdicts
from oddcall.models.window import BLOCKS, Program, WindowBatch
from oddcall.sensor.sensor import Cost, Tick
from oddcall.service.board.board import Board
from oddcall.training import synthetic
from oddcall.training.fit import fit

#: 2023-11-14T22:13:20Z.
T0 = 1_700_000_000_000_000_000
S = 1_000_000_000
READ, PTRACE, CONNECT = 0, 101, 42
NGINX = Program("/usr/sbin/nginx", 1, 10, "nginx.service")
SHELL = Program("/bin/dash", 1, 11)
HOST = {
    "name": "web1",
    "id": "5d" * 16,
    "boot_id": "0b" * 16,
    "kernel": "6.1.0",
    "arch": "x86_64",
}
#: What a recording of a host says of where and how it was made.
METADATA = {
    "host_id": "5d",
    "host_name": "web1",
    "boot_id": "0b",
    "arch": "x86_64",
    "kernel": "6.1.0",
    "interval_s": "1",
    "loader": "bcc",
}


@dataclass
class Row:
    """One window, with what tests vary."""

    pid: int = 100
    calls: dict[int, int] = field(default_factory=lambda: {READ: 300})
    at_s: float = 1.0
    program: Program = NGINX
    ppid: int = 50
    exits: int = 0
    container: str = ""
    lost: int = 0


def batch_of(*rows: Row) -> WindowBatch:
    """Build a batch of windows that end ``at_s`` seconds after T0 and lasted one."""
    programs = tuple(dict.fromkeys(row.program for row in rows))
    ends = np.array([T0 + int(row.at_s * S) for row in rows], np.int64)
    ids = [np.array(sorted(row.calls), np.int64) for row in rows]
    counts = [np.array([row.calls[i] for i in sorted(row.calls)], np.int64) for row in rows]
    calls = Sparse.from_rows(ids, counts, BLOCKS["syscalls"])
    transitions = Sparse.from_rows(ids, counts, BLOCKS["transitions"])
    return WindowBatch.of(
        programs=programs,
        pid=np.array([row.pid for row in rows], np.int64),
        start_time_ns=np.array([row.pid * S for row in rows], np.int64),
        ppid=np.array([row.ppid for row in rows], np.int64),
        program=np.array([programs.index(row.program) for row in rows], np.int64),
        comm=np.array([row.program.name for row in rows], np.str_),
        container=np.array([row.container for row in rows], np.str_),
        t_start_ns=ends - S,
        t_end_ns=ends,
        syscalls=calls,
        transitions=transitions,
        exits=np.array([row.exits for row in rows], np.int64),
        observed_s=np.ones(len(rows)),
        lost=np.array([row.lost for row in rows], np.int64),
    )


class OddCalls:
    """A model for which ptrace and connect are odd: the more of them, the less likely."""

    id = "m" * 32
    budget_per_day = 1.0
    expected_alerts_per_day = 0.5
    warnings = ("What is promised of it rests on nothing.",)
    programs = ()
    detectors = ()
    metadata: ClassVar[dict[str, str]] = {}
    spec = FeatureSpec()
    tolerances = Tolerances()
    restored: ClassVar[dict[Program, int]] = {}
    profiles = (SimpleNamespace(windows=1204, first_ns=T0 - 172_800 * S, last_ns=T0),)

    def judge(self, batch: WindowBatch) -> Verdicts:
        n = len(batch)
        dense = batch.syscalls.to_dense()
        odd = dense[:, PTRACE] + dense[:, CONNECT]
        p = np.where(odd > 0, 10.0 ** -(4.0 + odd), 0.5)
        return Verdicts(
            score=-np.log(p),
            p_value=p,
            threshold=1e-4,
            alert=odd > 0,
            extrapolated=odd > 0,
            level=np.full(n, "program"),
            ready=np.ones(n, np.bool_),
            profile=np.zeros(n, np.int64),
            detectors={"novelty": p, "pca_residual": np.minimum(1.0, p * 10)},
            onset_ns=batch.t_start_ns,
        )

    def standing(self, _program: Program) -> Any:
        return SimpleNamespace(profile=0, level="program", ready=True)

    def forgetting(self, _program: Program) -> list[Any]:
        return []

    def unseen(self, batch: WindowBatch) -> Any:
        return np.intersect1d(batch.syscalls.ids, [PTRACE, CONNECT])

    def weigh(self, batch: WindowBatch) -> Any:
        """Nothing that adds up over time."""
        n = len(batch)
        nobody = np.zeros(0, np.int64)
        return SimpleNamespace(rows=nobody, ready=np.zeros(n, np.bool_), level=np.zeros(n, "U1"))

    def verdicts(self, batch: WindowBatch, _weighed: Any) -> Verdicts:
        return self.judge(batch)

    def explain(self, batch: WindowBatch, row: int, _verdicts: Verdicts) -> Any:
        ids, counts = batch.syscalls.row(row)
        names = {PTRACE: "ptrace", CONNECT: "connect", READ: "read"}
        top = [
            Feature(
                feature=names[int(i)],
                observed=float(c),
                q05=0.0,
                q50=0.0,
                q95=1.0,
                contribution=0.5,
            )
            for i, c in zip(ids, counts, strict=True)
            if i != READ
        ]
        sentence = f"nginx made {'a call' if len(top) == 1 else 'calls'} it never made before."
        hint = SimpleNamespace(technique="T1055.008", why="it made ptrace calls")
        hints = [hint] if any(feature.feature == "ptrace" for feature in top) else []
        return SimpleNamespace(sentence=sentence, top=top, nearest_windows=[], hints=hints)


@pytest.fixture
def odd_calls() -> OddCalls:
    return OddCalls()


@pytest.fixture
def row() -> type[Row]:
    return Row


@pytest.fixture
def batch() -> Any:
    return batch_of


@pytest.fixture
def host() -> dict[str, str]:
    return dict(HOST)


def tick_of(windows: WindowBatch, at_s: float, lost: int = 0) -> Tick:
    return Tick(
        time_ns=T0 + int(at_s * S),
        late_s=0.0,
        windows=windows,
        lost={"full map": lost},
        tracked=3,
        cost=Cost(0.01 * at_s, 50_000_000),
    )


class FakeSensor:
    """Yields ticks that were written down, one a second; stops early when told to."""

    def __init__(self, batches: Sequence[WindowBatch], *, endless: bool = False) -> None:
        self.batches, self.endless, self.stopped = list(batches), endless, False

    def ticks(self) -> Iterator[Tick]:
        at_s = 0
        for at_s, batch in enumerate(self.batches, 1):
            yield tick_of(batch, at_s)
            if self.stopped:
                return
        while self.endless and not self.stopped:
            time.sleep(0.05)
            at_s += 1
            yield tick_of(batch_of(Row(at_s=at_s, pid=999)), at_s)

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def fake_sensor() -> type[FakeSensor]:
    return FakeSensor


class Told:
    """A screen that remembers."""

    colour = False

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.statuses: list[Any] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def show(self, status: Any) -> None:
        self.statuses.append(status)

    def close(self) -> None:
        pass

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def screen() -> Told:
    return Told()


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Show times as UTC, wherever this runs."""
    with monkeypatch.context() as within:
        within.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def ordinary() -> list[WindowBatch]:
    """Some minutes of two programs' ordinary windows, a tick a second."""
    chance = np.random.default_rng(7)
    batches = []
    for at in range(1, 161):
        calls = {0: 120, 1: 90, 3: 30, 257: 25, 232: 60, 20: 40}
        web = {i: int(chance.poisson(n)) + 1 for i, n in calls.items()}
        shell = {i: int(chance.poisson(n)) + 1 for i, n in {0: 40, 56: 9, 61: 9, 59: 8}.items()}
        batches.append(
            batch_of(
                Row(at_s=at, calls=web),
                Row(at_s=at, pid=300, program=SHELL, calls=shell),
            )
        )
    return batches


@pytest.fixture(scope="session")
def trained() -> Model:
    """A model of a made-up host: a web server, a store and a shell."""
    batches = synthetic.host(150, seed=11)
    # Lately, as a watch has it: a baseline that is too old is stale.
    by = time.time_ns() - 300 * S - int(batches[-1].t_end_ns.max())
    return fit(
        [replace(b, t_start_ns=b.t_start_ns + by, t_end_ns=b.t_end_ns + by) for b in batches]
    )


@pytest.fixture(scope="session")
def watched(trained: Model) -> Board:
    """A board after a minute of that host, with a port scan at its end."""
    now_ns = T0
    board = Board(HOST, capacity=100, loader="bcc", now=lambda: now_ns)
    board.watching(trained)
    for batch in synthetic.host(60, seed=3, start=300) + synthetic.attacks(1, 360)["scan"]:
        now_ns = int(batch.t_end_ns.max())
        cost = Cost(0.02 * (now_ns / S), 70_000_000)
        board.see(Tick(now_ns, 0.0, batch, {"full map": 0}, 3, cost))
        board.judged(batch, trained.judge(batch))
    board.changed()
    return board
