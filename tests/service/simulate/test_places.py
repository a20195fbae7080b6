"""Nobody else can put anything where behaviours make and rewrite files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oddcall.models.errors import SettingError, StorageError
from oddcall.service.simulate import launch, places, run


def test_a_folder_is_made_for_the_user_alone(tmp_path: Path) -> None:
    """A new folder is private, is given by its whole path, and may be used again."""
    (tmp_path / "link").symlink_to(tmp_path)
    made = places.made(tmp_path / "link" / "work")
    assert made == (tmp_path / "work").resolve()
    assert made.stat().st_mode & 0o777 == 0o700
    assert places.made(made) == made
    with pytest.raises(StorageError):
        places.made(Path("/proc/nowhere"))


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    """Whoever can write there could put a link in the place of a file, a sticky bit or not."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    with pytest.raises(SettingError, match=rf"led astray.*{mode:o}.*--workdir"):
        run("bulk-delete", via="python", workdir=shared)
    assert not list(shared.iterdir())


def test_a_folder_below_one_that_others_can_write_to(tmp_path: Path) -> None:
    """It could be swapped for another, unless the one above is sticky as /tmp is."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(SettingError, match="led astray"):
        places.made(tmp_path / "shared" / "work")
    (tmp_path / "shared").chmod(0o1777)
    assert places.made(tmp_path / "shared" / "work").name == "work"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_users_folder_is_refused_behind_a_link_too(tmp_path: Path) -> None:
    """A server tells where its folder is, and may be anybody's."""
    theirs = tmp_path / "theirs"
    (theirs / "rooms").mkdir(parents=True)
    ours = tmp_path / "ours"
    ours.mkdir()
    os.chown(theirs, 65534, 65534)
    os.chown(theirs / "rooms", 65534, 65534)
    (theirs / "link").symlink_to(ours)
    for folder in (theirs, theirs / "rooms"):
        with pytest.raises(SettingError, match="65534"):
            launch._folder(f'{{"folder": "{folder}"}}', "http://127.0.0.1:1")
    # Where the link leads is settled once, and cannot be swapped by whoever owns the link.
    assert launch._folder(f'{{"folder": "{theirs / "link"}"}}', "http://127.0.0.1:1") == ours
