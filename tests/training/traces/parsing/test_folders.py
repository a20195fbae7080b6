"""Promises of one folder for both kinds of traces: it is said what to type, and no more."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest

from oddcall.models.errors import SettingError
from oddcall.training.traces.parsing.reading import read_split

from ..written import put


def traces(folder: Path) -> Path:
    for i in range(6):
        put(folder / f"{i}.txt", "read close " * (i + 2))
    return folder


@pytest.mark.parametrize(
    ("normal", "attack"),
    [
        ("normal", "attack"),
        ("all/Normal_data", "all/Abnormal_data"),
        ("benign", "data/malware-2"),
        ("CLEAN", "AttackTraces"),
        ("my normal", "my attacks/webshell"),
    ],
)
def test_folders_of_both_kinds_below_train_are_named(
    tmp_path: Path, normal: str, attack: str
) -> None:
    """Without --attack all of it would be learned from; what was meant is said as it is typed."""
    clean, odd = traces(tmp_path / normal), traces(tmp_path / attack)
    with pytest.raises(SettingError) as refused:
        read_split(tmp_path, None, None)
    typed = re.search(r"Type --train '?(.*?)'? --attack '?(.*?)'?\.$", refused.value.fix)
    assert typed
    assert Path(typed[1]) == clean
    assert Path(typed[2]) in {odd, odd.parent}
    assert len(read_split(Path(typed[1]), None, Path(typed[2])).attack) == 6


def test_an_archive_of_both_kinds_is_to_be_unpacked(tmp_path: Path) -> None:
    """Nothing below an archive can be named with a flag."""
    for name in ("normal", "attack"):
        traces(tmp_path / "set" / name)
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(tmp_path / "set", "set")
    said = r"in .*set\.tar are learned.*Unpack it, and give normal in it to --train, and attack to"
    with pytest.raises(SettingError, match=said):
        read_split(tmp_path / "set.tar", None, None)


@pytest.mark.parametrize("name", ["normal{}.txt", "{}-normal.log"])
def test_files_of_both_kinds_are_to_be_sorted(tmp_path: Path, name: str) -> None:
    """Many files cannot be named one by one; one of each kind can."""
    for i in range(5):
        for kind in ("normal", "attack"):
            put(tmp_path / name.replace("normal", kind).format(i), "read close " * (i + 2))
    with pytest.raises(SettingError, match="into folders of their own"):
        read_split(tmp_path, None, None)
    lines = "\n".join("read close " * n for n in (2, 30, 3, 9, 4, 17, 5))
    for kind in ("normal", "attack"):
        put(tmp_path / "two" / f"{kind}.txt", lines)
    with pytest.raises(SettingError, match=r"Type --train .*normal\.txt --attack .*attack\.txt"):
        read_split(tmp_path / "two", None, None)


@pytest.mark.parametrize("folders", [("normal", "other"), ("one", "attack"), ("web", "db")])
def test_folders_of_one_kind_are_no_reason(tmp_path: Path, folders: tuple[str, str]) -> None:
    """Where no attacks are named as such, it is asked for them."""
    for name in folders:
        traces(tmp_path / name)
    with pytest.raises(SettingError, match="Say with --attack where they are"):
        read_split(tmp_path, None, None)
