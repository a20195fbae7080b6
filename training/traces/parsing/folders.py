"""Folders that say by their name that they are of normal traces, or of attacks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from shlex import quote

from oddcall.models.errors import SettingError
from oddcall.training.traces.parsing.places import Place

#: Words in the name of a folder, or of a file that is alone in being named so.
_NORMAL = frozenset(
    ("normal", "normals", "benign", "clean", "baseline", "good", "legitimate", "legit")
)
_ATTACK = frozenset(
    (
        *("attack", "attacks", "malicious", "malware", "abnormal", "anomaly", "anomalies"),
        *("anomalous", "intrusion", "intrusions", "exploit", "exploits", "infected"),
    )
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def require_not_both(root: Path, place: Place) -> None:
    """Refuse to learn from a folder that has those of normal traces and of attacks below it.

    Parameters
    ----------
    root : Path
        What is to be learned from, where nothing was said of attacks.
    place : Place
        Labels of its traces say themselves which are attacks.

    Raises
    ------
    SettingError
        With what to type.
    """
    if any(place.labels):
        return
    normal, attack = _named(place.traces.labels)
    if not normal or not attack:
        return
    first = [min(each, key=lambda path: (len(path.parts), path)) for each in (normal, attack)]
    below = [root / path for path in first]
    if not all(path.exists() for path in below):
        fix = f"Unpack it, and give {first[0]} in it to --train, and {first[1]} to --attack."
    elif all(path.is_dir() for path in below) or len(normal) == len(attack) == 1:
        fix = f"Type --train {quote(str(below[0]))} --attack {quote(str(below[1]))}."
    else:
        fix = (
            "Put the normal traces and the attacks into folders of their own, for --train and"
            " --attack."
        )
    raise SettingError(
        f"there is no attack to judge: both {first[0]} and {first[1]} in {root} are learned from",
        expected="clean traces in --train, and attacks in --attack",
        got="no --attack",
        fix=fix,
    )


def _named(names: Iterable[str]) -> tuple[set[PurePosixPath], set[PurePosixPath]]:
    """Paths down to the part that is of normal traces, and to that of attacks, by its name."""
    normal: set[PurePosixPath] = set()
    attack: set[PurePosixPath] = set()
    # Behind the name of a file is that of a process in it.
    for path in {PurePosixPath(name.partition(":")[0]) for name in names}:
        for depth, part in enumerate(path.parts, 1):
            words = {word.lower() for word in _WORD.findall(part)}
            if bool(words & _NORMAL) is not bool(words & _ATTACK):
                of = normal if words & _NORMAL else attack
                of.add(PurePosixPath(*path.parts[:depth]))
                break
    return normal, attack
