"""Promises of archives among traces: read as folders, each file once, and nothing else written."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import stat
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from oddcall.models.errors import (
    EvidenceError,
    OddcallError,
    RecordingError,
    SettingError,
    StorageError,
)
from oddcall.service.evaluation.traces_caveats import how_read
from oddcall.training.traces.attack_kinds import kinds_of
from oddcall.training.traces.parsing import archives
from oddcall.training.traces.parsing import files as files_module
from oddcall.training.traces.parsing.reading import read_split

from ..written import everything, put, read

TRACES = {f"set/{kind}/{i}.txt": f"{call} close " * (i + 1)
          for kind, call in (("scan", "openat"), ("worm", "read")) for i in range(3)}  # fmt: skip


def tar(files: dict[str, str | bytes], mode: str = "w") -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:
        for name, text in files.items():
            raw = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))
    return held.getvalue()


def zipped(files: dict[str, str | bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return held.getvalue()


def packed(files: dict[str, str | bytes]) -> bytes:
    return tar({f"{name}.gz": gzip.compress(str(text).encode()) for name, text in files.items()})


WAYS: dict[str, Callable[[dict[str, str | bytes]], bytes]] = {
    "tar": tar,
    "tar.gz": lambda files: tar(files, "w:gz"),
    "tar.xz": lambda files: tar(files, "w:xz"),
    "tar.bz2": lambda files: bz2.compress(tar(files)),
    "tar of gz": packed,
    "zip": zipped,
}


@pytest.mark.parametrize("way", WAYS)
def test_an_archive_is_read_as_the_folder_that_it_unpacks_to(tmp_path: Path, way: str) -> None:
    """By what it holds, not by its name; and its folders name kinds of attack as others do."""
    for name, text in TRACES.items():
        put(tmp_path / "plain" / name, text)
    file = put(tmp_path / "an archive", WAYS[way]({**TRACES, "set/README.md": "Words."}))
    found, plain = read(file), read(tmp_path / "plain" / "set")
    assert everything(found) == everything(plain)
    assert [label.removesuffix(".gz") for label in found.labels] == list(plain.labels)
    assert set(kinds_of(found.labels)) == {"scan", "worm"}


def test_an_archive_beside_files_is_a_folder_among_them(tmp_path: Path) -> None:
    """Its traces stand where its name does, and say where they were."""
    put(tmp_path / "a.int", "4 5\n7 3\n4 5\n")
    put(tmp_path / "b c.tar", tar({"x/2.int": "8 5\n9 3\n9 5\n8 2\n"}))
    put(tmp_path / "d.int", "4 5\n7 3\n4 5\n")
    found = read(tmp_path)
    inside = ("b c.tar/x/2.int:8", "b c.tar/x/2.int:9")
    assert found.labels == ("a.int:4", "a.int:7", *inside, "d.int:4", "d.int:7")
    assert found.read_as == ("process",)


def test_what_lies_there_packed_and_unpacked_is_read_once(tmp_path: Path) -> None:
    """Of one name and the same within, in gzip or in an archive: the unpacked one counts."""
    put(tmp_path / "a.int", "1 2 3")
    put(tmp_path / "a.int.gz", gzip.compress(b"1 2 3"))
    put(tmp_path / "all.tar", tar({"old/a.int.gz": gzip.compress(b"1 2 3"), "b.int": "1 2 3"}))
    put(tmp_path / "c.int.gz", gzip.compress(b"1 2 3"))
    put(tmp_path / "c.int", "1 2 3 4")
    put(tmp_path / "deep" / "a.int", "1 2 3")
    found = read(tmp_path)
    assert found.labels == ("a.int", "all.tar/b.int", "c.int", "c.int.gz", "deep/a.int")
    assert found.twice == 2


def test_an_archive_in_two_places_is_refused(tmp_path: Path) -> None:
    """What was learned from it is no test, though it is unpacked for each place."""
    file = put(tmp_path / "a.tar", tar(dict(TRACES)))
    with pytest.raises(SettingError, match=r"1 of them, such as .*a\.tar"):
        read_split(file, None, tmp_path)


def test_nothing_is_written_but_what_is_read_and_that_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that lead out of an archive, links and devices in it are not followed."""
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(room))
    held = io.BytesIO(tar({"../../out.txt": "1 2", "/abs.txt": "1 2 3"}))
    with tarfile.open(fileobj=held, mode="a") as archive:
        for name, kind in (("link", tarfile.SYMTYPE), ("pipe", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    found = read(put(tmp_path / "place" / "x.tar", held.getvalue()))
    assert len(found) == 2
    assert not list(room.iterdir())
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert there == {"place", "place/x.tar", "room"}


@pytest.mark.parametrize("way", WAYS)
def test_an_archive_that_is_not_whole_is_named(tmp_path: Path, way: str) -> None:
    """Cut anywhere it is an error of the file's, or of one in it, and no other."""
    noise = {f"{i}.txt": " ".join(f"{j * j % 97}" for j in range(i, 3_000)) for i in range(4)}
    raw = WAYS[way](noise)
    ends = [int(part * len(raw.rstrip(b"\0"))) for part in (0.2, 0.5, 0.9)]
    for end in ends:
        with pytest.raises(RecordingError, match="x"):
            read(put(tmp_path / "x", raw[:end]))
    if way == "tar":
        with pytest.raises(RecordingError, match="it is cut"):
            read(put(tmp_path / "x", raw.rstrip(b"\0") + bytes(-len(raw.rstrip(b"\0")) % 512)))
        with pytest.raises(RecordingError, match="damaged in its middle"):
            read(put(tmp_path / "x", raw.replace(b"2.txt", b"9.txt")))


@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_archive_is_read_or_named(tmp_path: Path, way: str) -> None:
    """Whatever bytes are other than they were, no error is one of reading archives."""
    rng = np.random.default_rng(7)
    names = [f"d\N{LATIN SMALL LETTER E WITH ACUTE}/{i}" + "x" * 120 * (i % 2) for i in range(3)]
    raw = WAYS[way](dict.fromkeys(names, "read close openat " * 9))
    heads = [i for i, byte in enumerate(raw) if byte][: 3_000 if way.startswith("tar") else None]
    refused = 0
    for _ in range(200):
        bad = bytearray(raw)
        for at in rng.choice(heads, rng.integers(1, 4)):
            bad[at] = rng.integers(256)
        damaged = put(tmp_path / "x", repaired(bytes(bad)) if way == "tar" else bytes(bad))
        try:
            read(damaged)
        except OddcallError:
            refused += 1
    assert refused > 20


def repaired(raw: bytes) -> bytes:
    """Write the sums of a tar's blocks anew where they were heads: what else is bad is met then."""
    blocks = [raw[i : i + 512] for i in range(0, len(raw), 512)]
    for i, block in enumerate(blocks):
        if block[257:262] == b"ustar" and len(block) == 512:
            held = sum(block[:148]) + sum(block[156:]) + 8 * 32
            blocks[i] = block[:148] + b"%06o\0 " % held + block[156:]
    return b"".join(blocks)


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path: Path) -> None:
    """It is told by how it begins: a small zip that is its last file says nothing of it."""
    files = {f"{i}.txt": "read close " * (i + 1) for i in range(8)}
    inner = zipped({"README": "words"})
    found = read(put(tmp_path / "a.tar", tar({**files, "README.zip": inner})))
    assert len(found) == 8


def test_a_damaged_copy_beside_a_trace_is_named(tmp_path: Path) -> None:
    """Whether it is the same within cannot be known, and it is no mistake of the program's."""
    put(tmp_path / "0.txt", "read close " * 50)
    raw = bytearray(gzip.compress(b"".join(b"read close %d " % i for i in range(300))))
    raw[12:40] = b"\xff" * 28
    put(tmp_path / "0.txt.gz", bytes(raw))
    with pytest.raises(RecordingError, match=r"0\.txt\.gz cannot be unpacked"):
        read(tmp_path)


def test_no_room_for_an_empty_file_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is told of as one, whatever was to be written."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = put(tmp_path / "a.tar", tar({"a.txt": ""}))
    monkeypatch.setattr(archives.Path, "touch", full)
    opened = archives.Path.open
    monkeypatch.setattr(
        archives.Path,
        "open",
        lambda path, mode="r", *rest, **more: (
            full() if mode[0] in "wax" else opened(path, mode, *rest, **more)
        ),
    )
    with pytest.raises(StorageError, match=r"no room to unpack .*a\.tar"):
        read(file)


def test_a_large_archive_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that would fill the disk is refused, with what to do."""
    monkeypatch.setattr(archives, "_MOST_BYTES", 1_000)
    file = put(tmp_path / "bomb.zip", zipped({"a": "1 " * 400, "b": "1 " * 400}))
    with pytest.raises(RecordingError, match=r"bomb\.zip is too large.*Unpack it"):
        read(file)


@pytest.mark.parametrize("bound", ["_MOST_BYTES", "_MOST_MEMBERS"])
def test_all_archives_together_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    """Many small ones fill a disk as one does, be they of several places; and so do many names."""
    monkeypatch.setattr(archives, bound, 100 if bound == "_MOST_BYTES" else 7, raising=False)
    for place in ("train", "attack"):
        for i in range(2):
            text = f"{place} {i} ".ljust(30, "1")
            put(tmp_path / place / f"{i}.tar", tar({f"{i}a": text[:30], f"{i}b": ""}))
    with pytest.raises(
        RecordingError, match=r"attack/1\.tar is too large.*all archives.*Unpack it"
    ):
        read_split(tmp_path / "train", None, tmp_path / "attack")


def test_a_folder_of_an_archive_may_have_any_name(tmp_path: Path) -> None:
    """Files are passed over for their own names, as in folders."""
    for name in ("license-server", ".cache", "readme"):
        files = {f"{name}/{i}.txt": "read close " * (i + 1) for i in range(6)}
        put(tmp_path / name / "a.tar", tar({**files, f"{name}/README": "words", ".x": "words"}))
        for file, text in files.items():
            put(tmp_path / "plain" / file, text)
        assert everything(read(tmp_path / name)) == everything(read(tmp_path / "plain" / name))


def test_links_in_an_archive_lead_to_its_own_files(tmp_path: Path) -> None:
    """As in the folder that it unpacks to; those that lead elsewhere are counted and said."""
    put(tmp_path / "out.txt", "mmap mmap")
    held = io.BytesIO(tar({"run/1.txt": "read close", "run/2.txt": "openat read close"}))
    with tarfile.open(fileobj=held, mode="a") as archive:
        for name, kind, target in (
            ("run/3.txt", tarfile.LNKTYPE, "run/1.txt"),
            ("other/4.txt", tarfile.SYMTYPE, "../run/2.txt"),
            ("other/5.txt", tarfile.SYMTYPE, "4.txt"),
            ("other/out.txt", tarfile.SYMTYPE, "../../out.txt"),
            ("other/abs.txt", tarfile.SYMTYPE, f"{tmp_path}/out.txt"),
            ("other/README", tarfile.SYMTYPE, "nowhere"),
            ("a", tarfile.SYMTYPE, "b"),
            ("b", tarfile.SYMTYPE, "a"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    put(tmp_path / "place" / "x.tar", held.getvalue())
    found = read(tmp_path / "place")
    inside = ["other/4.txt", "other/5.txt", "run/1.txt", "run/2.txt", "run/3.txt"]
    assert list(found.labels) == [f"x.tar/{name}" for name in inside]
    assert [len(trace) for trace in everything(found)] == [3, 3, 2, 3, 2]
    assert found.links == 4
    split = read_split(tmp_path / "place", None, put(tmp_path / "attack", "read"), "file")
    assert "left out: 4 links in archives, to no file in them" in list(how_read(split))


def test_a_link_in_a_zip_is_one(tmp_path: Path) -> None:
    """What it holds is the name that it leads to, and no trace."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("run/1.txt", "read close")
        for name, target in (("2.txt", "run/1.txt"), ("3.txt", "/etc/passwd")):
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    found = read(put(tmp_path / "x.zip", held.getvalue()))
    assert (everything(found), found.links) == ([["read", "close"]] * 2, 1)


def test_what_lies_in_several_archives_is_read_once(tmp_path: Path) -> None:
    """Whatever they are; two traces of one archive that are alike are two, as in a folder."""
    files: dict[str, str | bytes] = {f"{i}/a.txt": "read close " * (i % 5 + 1) for i in range(6)}
    for name in ("a.tar", "b.tar", "c.zip", "d.tar.gz"):
        put(tmp_path / name, WAYS[name.split(".", 1)[1]](files))
    put(tmp_path / "e.tar", packed({**files, "7/a.txt": "openat"}))
    found = read(tmp_path)
    assert found.labels == (*(f"a.tar/{i}/a.txt" for i in range(6)), "e.tar/7/a.txt.gz")
    assert found.twice == 4 * 6


def test_each_file_is_compared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many have the same name, as where each run is a folder."""
    for i in range(30):
        put(tmp_path / f"r{i}" / "trace.txt", f"3 6 {i}")
        put(tmp_path / f"r{i}" / "trace.txt.gz", gzip.compress(f"3 6 {i}".encode()))
    read_of: Counter[Path] = Counter()
    digest = files_module._digest

    def counted(file: files_module.TraceFile) -> bytes:
        read_of[file.path] += 1
        return digest(file)

    monkeypatch.setattr(files_module, "_digest", counted)
    assert read(tmp_path).twice == 30
    assert set(read_of.values()) == {1}


def test_an_empty_archive_holds_no_trace(tmp_path: Path) -> None:
    """It is said as of an empty folder."""
    with pytest.raises(EvidenceError, match="no trace"):
        read(put(tmp_path / "none.tar", tar({"README": "words"})))
