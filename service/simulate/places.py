"""Folders that simulations work in: nobody else can lead astray what is made there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from oddcall.models.errors import SettingError
from oddcall.models.storage import storage_error


def made(folder: Path) -> Path:
    """Make the folder that behaviours work in, the user's alone, and give its whole path.

    Raises
    ------
    StorageError
        If it cannot be made.
    SettingError
        If somebody else can write there.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return private(folder)
    except OSError as error:
        raise storage_error(folder, error) from error


def private(folder: Path) -> Path:
    """Give the whole path of a folder in which, and above which, nobody else can put anything.

    Behaviours remove, cut and rewrite files by their names: whoever could put a link in the place
    of a file or of a folder would have another file rewritten, and by root any file at all.

    Raises
    ------
    OSError
        If it cannot be looked at.
    SettingError
        If somebody else can write there.
    """
    whole = folder.resolve(strict=True)
    user, groups = os.geteuid(), {0, os.getegid()}
    for place in (whole, *whole.parents):
        seen = place.stat(follow_symlinks=False)
        owners = {user} if place == whole else {0, user}
        # Whoever may write to a sticky folder can still not touch what is another's in it.
        kept = place != whole and seen.st_mode & stat.S_ISVTX
        shared = seen.st_mode & stat.S_IWOTH or (
            seen.st_mode & stat.S_IWGRP and seen.st_gid not in groups
        )
        if seen.st_uid not in owners or (shared and not kept):
            whose = f"{place}, of the user {seen.st_uid}, mode {stat.S_IMODE(seen.st_mode):o}"
            raise SettingError(
                f"what is simulated in {folder} could be led astray by others",
                expected=f"a folder that only the user {user} can write to, as those above it",
                got=whose,
                fix="Name a folder of your own by --workdir, or ask as that user.",
            )
    return whole
