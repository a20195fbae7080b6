"""Recordings: what is written is what is read, whatever happens in between."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oddcall.models.errors import RecordingError
from oddcall.models.sparse import Sparse
from oddcall.models.window import BLOCKS, Program, WindowBatch
from oddcall.training.columns import ProgramTable, to_batch, to_table
from oddcall.training.recording import (
    RecordingWriter,
    read_batches,
    read_metadata,
    read_recording,
    summary,
)
from oddcall.training.synthetic import WEB, window

HOST = {
    "arch": "x86_64",
    "kernel": "6.1.0",
    "host_id": "h1",
    "host_name": "web1",
    "boot_id": "b1",
    "interval_s": "1.0",
    "loader": "bcc",
}
PROGRAMS = (
    Program("/usr/sbin/nginx", 2049, 77, "nginx.service", ""),
    Program("/usr/bin/python3.11", 2049, 2**63 + 5, "", "docker"),
    Program("", 0, 0, "", ""),
    Program("/opt/Zürich/日本 serveur", 1, 2, "", ""),
)
#: Columns of the frame in the order that the format promises, then the further ones.
DOCUMENTED = """
t_start t_end pid start_time_ns ppid uid exe comm container unit program n_events
syscall_ids syscall_counts error_ids error_counts transition_ids transition_counts
uring_ids uring_counts compat_ids compat_counts observed_s late_s lost
""".split()  # noqa: SIM905 - reads as the promise does
EXTRA = """
lost_keys identity_complete forks execs exits dev ino tick container_kind
""".split()  # noqa: SIM905 - as above


def random_batch(rng: np.random.Generator, n: int, end_ns: int = 10**18) -> WindowBatch:
    """Windows of random programs with random sparse counts."""
    span_ns = rng.integers(1, 5 * 10**9, n)
    columns: dict[str, object] = {
        name: Sparse.from_dense(rng.integers(1, 1000, (n, width)) * (rng.random((n, width)) < 0.02))
        for name, width in BLOCKS.items()
    }
    for name in ("start_time_ns", "ppid", "uid", "forks", "execs", "lost", "lost_keys"):
        columns[name] = rng.integers(0, 2**40, n)
    return WindowBatch.of(
        programs=PROGRAMS,
        pid=rng.integers(1, 2**22, n),
        t_start_ns=end_ns - span_ns,
        t_end_ns=np.full(n, end_ns),
        program=rng.integers(0, len(PROGRAMS), n),
        comm=np.array([f"worker {i}é" for i in range(n)], np.str_),
        container=rng.choice(np.array(["", "3f9a" * 16]), n),
        exits=rng.integers(0, 2, n),
        observed_s=span_ns / 1e9,
        late_s=rng.random(n),
        identity_complete=rng.random(n) < 0.9,
        **columns,
    )


def batches(seed: int, sizes: list[int]) -> list[WindowBatch]:
    """One batch a tick, a second apart."""
    rng = np.random.default_rng(seed)
    return [random_batch(rng, n, 10**18 + i * 10**9) for i, n in enumerate(sizes)]


def write(path: Path, written: list[WindowBatch], **cut: float) -> Path:
    """Record batches into a folder."""
    with RecordingWriter(path, HOST, **cut) as writer:
        for batch in written:
            writer.append(batch)
    return path


def same(one: WindowBatch, other: WindowBatch) -> bool:
    """Tell whether two batches hold the same rows, each with the same program."""
    for field in fields(WindowBatch):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name in ("programs", "program"):
            continue
        pairs = [(a, b)]
        if isinstance(a, Sparse):
            pairs = [(a.indptr, b.indptr), (a.ids, b.ids), (a.counts, b.counts)]
        if not all(x.dtype.kind == y.dtype.kind and np.array_equal(x, y) for x, y in pairs):
            return False
    return [one.programs[i] for i in one.program] == [other.programs[i] for i in other.program]


def assert_same(read: Iterator[WindowBatch], written: list[WindowBatch]) -> None:
    """Check that what was read is what was written, in the same grouping and order."""
    got = list(read)
    kept = [batch for batch in written if len(batch)]
    assert len(got) == len(kept)
    assert all(same(a, b) for a, b in zip(got, kept, strict=True))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(0, 12), max_size=8),
    rows=st.integers(1, 30),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, seed: int, sizes: list[int], rows: int
) -> None:
    """Batches come back exactly as written, tick by tick, wherever the parts were cut."""
    written = batches(seed, sizes)
    path = write(tmp_path_factory.mktemp("r") / "rec", written, rows_per_part=rows)
    if any(sizes):
        assert_same(read_batches(path), written)
    else:
        with pytest.raises(RecordingError, match="not a recording"):
            next(read_batches(path))


def test_many_row_groups(tmp_path: Path) -> None:
    """A part of several row groups keeps its ticks apart and in order."""
    written = batches(1, [3000] * 4 + [9000, 1])
    path = write(tmp_path / "rec", written)
    assert [p.name for p in path.iterdir()] == ["part-000000.parquet"]
    assert_same(read_batches(path), written)


def test_program_index_is_stable(tmp_path: Path) -> None:
    """An index into the table of programs means the same program in every later batch."""
    path = write(tmp_path / "rec", batches(2, [4] * 6), rows_per_part=8)
    last: tuple[Program, ...] = ()
    for batch in read_batches(path):
        assert batch.programs[: len(last)] == last
        last = batch.programs
    assert len(set(last)) == len(last)


def test_append_goes_on(tmp_path: Path) -> None:
    """A second writer on the same host adds parts and ticks, and rewrites nothing."""
    first, second = batches(3, [5, 5]), batches(4, [5])
    path = write(tmp_path / "rec", first)
    before = (path / "part-000000.parquet").read_bytes()
    write(path, second)
    assert_same(read_batches(path), first + second)
    assert (path / "part-000000.parquet").read_bytes() == before
    assert sorted(set(read_recording(path)["tick"])) == [0, 1, 2]


def test_cut_by_seconds(tmp_path: Path) -> None:
    """A part that is due appears even when only empty ticks follow."""
    with RecordingWriter(tmp_path / "rec", HOST, seconds_per_part=0.05) as writer:
        writer.append(batches(5, [3])[0])
        time.sleep(0.06)
        writer.append(WindowBatch.empty())
        assert (tmp_path / "rec" / "part-000000.parquet").exists()


def test_metadata(tmp_path: Path) -> None:
    """The file metadata holds the host, the schema, the hash seed and the version."""
    path = write(tmp_path / "rec", batches(6, [1]))
    metadata = read_metadata(path)
    assert HOST.items() <= metadata.items()
    assert {"schema", "hash_seed", "oddcall_version"} <= metadata.keys()


def test_frame(tmp_path: Path) -> None:
    """The frame has the documented columns, UTC times, and numpy arrays for the counts."""
    written = batches(7, [6, 7])
    path = write(tmp_path / "rec", written, rows_per_part=6)
    frame = read_recording(path)
    whole = WindowBatch.concat(written)
    assert list(frame.columns[: len(DOCUMENTED)]) == DOCUMENTED
    assert set(EXTRA) == set(frame.columns[len(DOCUMENTED) :])
    assert str(frame["t_end"].dtype) == "datetime64[ns, UTC]"
    assert frame["t_end"].astype("int64").tolist() == whole.t_end_ns.tolist()
    for i in range(len(whole)):
        ids, counts = whole.transitions.row(i)
        assert isinstance(frame["transition_ids"].iloc[i], np.ndarray)
        assert frame["transition_ids"].iloc[i].tolist() == ids.tolist()
        assert frame["transition_counts"].iloc[i].tolist() == counts.tolist()
    assert frame["exe"].tolist() == [whole.programs[p].exe for p in whole.program]
    assert frame["ino"].tolist() == [whole.programs[p].ino for p in whole.program]
    assert frame["n_events"].tolist() == whole.n_events.tolist()
    assert frame["program"].nunique() == len({whole.programs[p] for p in whole.program})
    assert frame.attrs["host_id"] == "h1"


def test_summary(tmp_path: Path) -> None:
    """The summary counts rows, ticks, events, programs and the span."""
    written = batches(8, [4, 0, 5])
    path = write(tmp_path / "rec", written, rows_per_part=4)
    whole = WindowBatch.concat(written)
    seen = summary(path)
    assert (seen.parts, seen.rows, seen.ticks) == (2, 9, 2)
    assert seen.events == whole.n_events.sum()
    assert (seen.start_ns, seen.end_ns) == (whole.t_start_ns.min(), whole.t_end_ns.max())
    used, windows = np.unique(whole.program, return_counts=True)
    assert seen.programs == {
        whole.programs[p]: n for p, n in zip(used, windows.tolist(), strict=True)
    }
    assert seen.incomplete == np.count_nonzero(~whole.identity_complete)


def test_summary_lays_losses_over_each_other(tmp_path: Path) -> None:
    """A host-wide loss that several windows report is counted once, later losses add to it."""
    # Losses: 7 in (1, 2], 3 in (3, 4]. Windows: (0,2] (1,2] (1,4] (2,4] (0,1].
    spans = np.array([(0, 1, 0), (0, 2, 7), (1, 2, 7), (1, 4, 10), (2, 4, 3)])
    batch = WindowBatch.of(
        programs=PROGRAMS,
        pid=np.arange(1, 6),
        t_start_ns=10**18 + spans[:, 0],
        t_end_ns=10**18 + spans[:, 1],
        lost=spans[:, 2],
    )
    assert summary(write(tmp_path / "rec", [batch])).lost == 10


@pytest.mark.parametrize("content", ["missing", "empty", "file"])
def test_nothing_to_read(tmp_path: Path, content: str) -> None:
    """A missing place, an empty folder and a file each get a sentence with the way on."""
    path = tmp_path / "rec"
    if content == "empty":
        path.mkdir()
    elif content == "file":
        path.write_bytes(b"PAR1")
    for read in (lambda: next(read_batches(path)), lambda: summary(path)):
        with pytest.raises(RecordingError, match="oddcall record"):
            read()


def parquet_like(path: Path, change: str) -> Path:
    """Write a recording whose one part differs from ours in one respect."""
    table = pq.read_table(write(path, batches(13, [5])) / "part-000000.parquet")
    schema = table.schema
    if change == "foreign":
        table = pa.table({"a": [1], "b": [2]})
    elif change == "version":
        table = table.replace_schema_metadata(schema.metadata | {b"oddcall.schema": b"99"})
    elif change == "missing":
        table = table.drop_columns(["n_events"])
    elif change == "type":
        place = schema.get_field_index("pid")
        field = pa.field("pid", pa.int32(), nullable=False)
        table = table.set_column(place, field, table.column("pid").cast(pa.int32()))
    elif change == "nulls":
        place = schema.get_field_index("pid")
        table = table.set_column(place, "pid", pa.array([None] * 5, pa.int64()))
    pq.write_table(table, path / "part-000000.parquet")
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("foreign", "another program; expected .*; got columns a, b"),
        ("version", "another schema version; expected 1; got 99"),
        ("missing", "none named n_events"),
        ("type", "pid of type int32"),
        ("nulls", "pid of type int64"),
    ],
)
def test_foreign_parts(tmp_path: Path, change: str, said: str) -> None:
    """Parquet that is not a part of this schema is refused with what was found."""
    path = parquet_like(tmp_path / "rec", change)
    with pytest.raises(RecordingError, match=said):
        list(read_batches(path))
    with pytest.raises(RecordingError, match=said):
        read_recording(path)


def test_mixed_parts(tmp_path: Path) -> None:
    """Parts of another architecture among ours are refused: their call numbers differ."""
    path = write(tmp_path / "rec", batches(14, [2]))
    with RecordingWriter(tmp_path / "arm", HOST | {"arch": "aarch64"}) as writer:
        writer.append(batches(15, [2])[0])
    (tmp_path / "arm" / "part-000000.parquet").rename(path / "part-000007.parquet")
    with pytest.raises(RecordingError, match="expected arch x86_64; got aarch64"):
        list(read_batches(path))


def test_counts_out_of_range(tmp_path: Path) -> None:
    """Ids past a block's width never reach a model."""
    path = write(tmp_path / "rec", batches(16, [5]))
    part = path / "part-000000.parquet"
    table = pq.read_table(part)
    field = table.schema.field("syscall_ids")
    wrong = pa.ListArray.from_arrays(
        table.column("syscall_ids").chunk(0).offsets,
        pa.array(np.full(len(table.column("syscall_ids").chunk(0).values), 512, np.int32)),
        type=field.type,
    )
    place = table.schema.get_field_index("syscall_ids")
    pq.write_table(table.set_column(place, field, wrong), part)
    with pytest.raises(RecordingError, match="out of range"):
        list(read_batches(path))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the bytes of one small part."""
    path = write(tmp_path_factory.mktemp("small") / "rec", batches(17, [3]))
    return (path / "part-000000.parquet").read_bytes()


@settings(max_examples=150, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), cut=st.booleans())
def test_damage(
    tmp_path_factory: pytest.TempPathFactory, small: bytes, place: float, flip: int, cut: bool
) -> None:
    """A flipped byte or a cut file gives whole batches or a RecordingError, nothing else."""
    at = int(place * len(small))
    damaged = small[:at] if cut else small[:at] + bytes([small[at] ^ flip]) + small[at + 1 :]
    path = tmp_path_factory.mktemp("damage")
    (path / "part-000000.parquet").write_bytes(damaged)
    try:
        rows = sum(map(len, read_batches(path)))
        summary(path)
    except RecordingError as error:
        said = str(error)
    else:
        said = ""
        assert rows <= 3
    assert "\n" not in said


def test_recording_does_not_import_pandas() -> None:
    """Writing and reading batches leaves pandas out: ``record`` has no use for it."""
    script = (
        "import sys, tempfile; sys.path.insert(0, sys.argv[1])\n"
        "from test_recording import batches, write\n"
        "from pathlib import Path\n"
        "from oddcall.training.recording import read_batches, summary\n"
        "path = write(Path(tempfile.mkdtemp()) / 'r', batches(1, [3]))\n"
        "list(read_batches(path)); summary(path)\n"
        "assert 'pandas' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script, str(Path(__file__).parent)], check=True)


def test_mounts_of_one_file_are_one_program():
    """A recording of when mounts counted gives one program where it holds several devices."""
    overlays = [replace(WEB.program, dev=0), replace(WEB.program, dev=0, ino=5)]
    one, two = (window(replace(WEB, program=p), [0, 1, 2]) for p in overlays)
    table = to_table(WindowBatch.concat([one, two, one]), 0)
    for name, column in (("dev", pa.array([41, 42, 43], pa.uint64())), ("program", [1, 2, 3])):
        at = table.column_names.index(name)
        table = table.set_column(at, table.schema.field(name), [column])
    batch = to_batch(table, ProgramTable())
    assert batch.programs == tuple(overlays)
    assert batch.program.tolist() == [0, 1, 0]
