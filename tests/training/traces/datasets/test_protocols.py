"""Promises of the public sets: what they hold, how they are split, and what bad ones are told."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from oddcall.models.errors import RecordingError, SettingError
from oddcall.training.traces.datasets.protocols import (
    adfa_833,
    adfa_ring,
    datasets_root,
    mit_lpr,
    read_unm,
)
from oddcall.training.traces.traces import Vocabulary

from ..written import put, words


def adfa_files() -> dict[str, str]:
    """A made-up ADFA-LD: 12 training, 800 validation and 3 attack traces."""
    files = {
        f"ADFA-LD/Training_Data_Master/UTD-{i:04}.txt": f"6 6 {i} 3 4 5 6 7" for i in range(12)
    }
    files |= {
        f"ADFA-LD/Validation_Data_Master/UVD-{i:04}.txt": f"1 {i} 3 4 5 6 7 8" for i in range(800)
    }
    files |= {f"ADFA-LD/Attack_Data_Master/Adduser_{i}/UAD-{i}.txt": f"9 {i} 9 9" for i in range(3)}
    return files


def test_adfa_is_read_from_its_archive_or_its_folder(tmp_path: Path) -> None:
    """The archive and the directory that it unpacks to give the same split."""
    files = adfa_files() | {"ADFA-LD/__MACOSX/Training_Data_Master/._UTD.txt": "\0"}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    for name, text in adfa_files().items():
        put(tmp_path / name, text)
    packed, unpacked = adfa_833(tmp_path / "a.zip"), adfa_833(tmp_path / "ADFA-LD")
    for a, b in (
        (packed.train, unpacked.train),
        (packed.normal, unpacked.normal),
        (packed.attack, unpacked.attack),
    ):
        assert a.labels == b.labels
        assert np.array_equal(a.calls, b.calls)
    assert [len(s) for s in (packed.train, packed.normal, packed.attack)] == [12, 800, 3]
    assert packed.attack.labels[0].startswith("Adduser_0/")
    (tmp_path / "a.zip").rename(tmp_path / "ADFA-LD.zip")
    assert len(adfa_833(tmp_path).train) == 12, "the folder that the archive is in"
    with pytest.raises(RecordingError, match=r"ADFA-LD\.zip, the folder it is in"):
        adfa_833(tmp_path / "ADFA-LD" / "Attack_Data_Master")


def test_an_archive_of_each_part_is_adfa_as_well(tmp_path: Path) -> None:
    """As some give it: the split, and the names of the kinds of attack, are the same."""
    for part in ("Training", "Validation", "Attack"):
        place = put(tmp_path / "parts" / f"{part}_Data_Master.zip", "")
        with zipfile.ZipFile(place, "w") as archive:
            for name, text in adfa_files().items():
                if f"{part}_Data" in name:
                    archive.writestr(name.removeprefix("ADFA-LD/"), text)
    for name, text in adfa_files().items():
        put(tmp_path / name, text)
    apart, whole = adfa_833(tmp_path / "parts"), adfa_833(tmp_path / "ADFA-LD")
    for a, b in zip(
        (apart.train, apart.normal, apart.attack),
        (whole.train, whole.normal, whole.attack),
        strict=True,
    ):
        assert a.labels == b.labels
        assert np.array_equal(a.calls, b.calls)


def test_ring_draws_746_normals_of_its_lengths(tmp_path: Path) -> None:
    """746 normals are judged, the rest learned from; none is in both; a seed is a split."""
    for name, text in (adfa_files() | {"ADFA-LD/Training_Data_Master/short": "1 2 3"}).items():
        put(tmp_path / name, text)
    first, again, other = (adfa_ring(tmp_path, seed) for seed in (0, 0, 1))
    assert len(first.normal) == 746
    assert len(first.train) == 12 + 800 - 746
    assert not set(first.normal.labels) & set(first.train.labels)
    assert first.normal.labels == again.normal.labels != other.normal.labels
    assert "short" not in first.normal.labels + first.train.labels


def test_unm_traces_are_sorted_by_process_and_time(tmp_path: Path) -> None:
    """Lines of process and call become a trace a process; files go by the time in their names."""
    late, early = b"7 1\n8 5\n7 2 \n", b"9 3\n9 4\n"
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for name, text in (("d/200-x.int.gz", late), ("d/100-y.int.gz", early)):
            data = gzip.compress(text)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    found = read_unm(tmp_path / "a.tar.gz", Vocabulary())
    assert [words(found, i) for i in range(3)] == [["3", "4"], ["1", "2"], ["5"]]
    assert found.labels == ("100-y.int.gz:9", "200-x.int.gz:7", "200-x.int.gz:8")
    folder = put(tmp_path / "f" / "100-y.int", early).parent
    assert words(read_unm(folder, Vocabulary()), 0) == ["3", "4"]


@pytest.mark.parametrize("text", [b"1 2\n3\n", b"pid;call", b"\x1f\x8bxx"])
def test_bad_unm_files_are_refused(tmp_path: Path, text: bytes) -> None:
    """A file that is not pairs of process and call is refused."""
    with pytest.raises(RecordingError):
        read_unm(put(tmp_path / "x.int", text), Vocabulary())


def test_mit_is_split_by_time(tmp_path: Path) -> None:
    """The earlier half of the normal processes is learned from, the later half judged."""
    with tarfile.open(tmp_path / "lpr-live-mit-new.tar.gz", "w:gz") as archive:
        for i in (3, 1, 0, 2):
            data = gzip.compress(f"{i} {i}\n{i} 9\n".encode())
            info = tarfile.TarInfo(f"{100 + i}-host.log.int.gz")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    put(tmp_path / "exploit-ai.int.gz", gzip.compress(b"5 6\n5 6\n"))
    split = mit_lpr(tmp_path)
    assert [words(split.train, i)[0] for i in range(2)] == ["0", "1"]
    assert [words(split.normal, i)[0] for i in range(2)] == ["2", "3"]
    assert words(split.attack, 0) == ["6", "6"]
    for folder, name in (("normal", "lpr-live-mit-new.tar.gz"), ("attack", "exploit-ai.int.gz")):
        (tmp_path / folder).mkdir()
        (tmp_path / name).rename(tmp_path / folder / name)
    assert mit_lpr(tmp_path).train.labels == split.train.labels, "each in a folder"


def test_data_sets_are_found_where_the_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ODDCALL_DATASETS names the directory, and a missing set says how to name it."""
    monkeypatch.setenv("ODDCALL_DATASETS", str(tmp_path))
    assert datasets_root() == tmp_path
    with pytest.raises(SettingError, match=r"ODDCALL_DATASETS"):
        mit_lpr()
    with pytest.raises(SettingError, match="--data"):
        adfa_833()
    monkeypatch.delenv("ODDCALL_DATASETS")
    beside = Path(__file__).resolve().parents[5] / "shared" / "datasets"
    assert datasets_root() == beside, "beside the checkout that is tested"


@pytest.mark.skipif(
    not (datasets_root() / "adfa-ld" / "ADFA-LD.zip").exists(),
    reason=f"ADFA-LD is not in {datasets_root()}",
)
def test_the_real_adfa_has_its_known_sizes() -> None:
    """The published sizes: 833 and 4,372 normal traces and 746 attacks."""
    split = adfa_833()
    assert [len(s) for s in (split.train, split.normal, split.attack)] == [833, 4372, 746]
    assert len(np.unique(split.normal.same())) == 2420


@pytest.mark.skipif(
    not (datasets_root() / "mit-lpr").exists(), reason=f"MIT lpr is not in {datasets_root()}"
)
def test_the_real_mit_lpr_has_its_known_sizes() -> None:
    """The published sizes: 2,703 normal processes and 1,001 attacks, 8 of them different."""
    split = mit_lpr()
    assert len(split.train) + len(split.normal) == 2703
    assert len(split.attack) == 1001
    assert len(np.unique(split.attack.same())) == 8


def test_unpacked_archives_of_mit_are_told_what_to_type(tmp_path: Path) -> None:
    """The split goes by the order of the archive; what was unpacked is judged as one's own."""
    (tmp_path / "lpr-live-mit").mkdir()
    (tmp_path / "exploit-ai.int").write_text("1 2\n")
    typed = rf"--train {tmp_path}/lpr-live-mit --attack {tmp_path}/exploit-ai\.int"
    with pytest.raises(SettingError, match=f"expected lpr-live-mit-new.tar.gz.*{typed}"):
        mit_lpr(tmp_path)
