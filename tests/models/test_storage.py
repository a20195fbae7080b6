"""Places to write to: what cannot be written is refused before the work, with the true reason."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from oddcall.models.errors import StorageError
from oddcall.models.storage import require_place, write_whole

#: Makes a read-only file system that this process alone sees, and asks for a place in it.
_READ_ONLY = """
mount -t tmpfs -o ro none "$1" || exit 77
exec "$2" -c '
import sys
from pathlib import Path
from oddcall.models.storage import require_place
require_place(Path(sys.argv[1]) / "page.html")
' "$1"
"""


def test_a_place_that_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    """Asking makes nothing, and changes nothing that is there."""
    require_place(tmp_path / "new")
    assert not list(tmp_path.iterdir())
    write_whole(tmp_path / "old", b"old")
    require_place(tmp_path / "old")
    assert (tmp_path / "old").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("none/page.html", "the folder does not exist"),
        ("file/page.html", "the folder does not exist"),
        ("folder", "not a file"),
        ("/dev/null", "not a file"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, place: str, why: str) -> None:
    """The place and the reason are named; what is there stays."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=rf"cannot write .*{place}.*{why}"):
        require_place(tmp_path / place)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "folder"]


def test_a_read_only_file_system_is_called_so(tmp_path: Path) -> None:
    """Permission is not what is missing on a read-only file system, and it is not said to be."""
    own = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    done = subprocess.run(
        [*own, "sh", "-c", _READ_ONLY, "sh", tmp_path, sys.executable],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("nothing can be mounted here")
    assert "the file system is read-only. Name a place on another file system." in done.stderr
