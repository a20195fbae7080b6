"""Names of programs beside each other: each as short as it can be told from the others.

::

    nginx                     the only one of that name
    bin/python3.11            another path ends in python3.11: the folder tells
    blue/…/python3.11         the folders differ further up: the one that tells
    python3.11 (web.service)  the same path: its unit, or its kind of container
    python3.11 (inode 4711)   the same place: another binary
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

from oddcall.models.window import Program


def told_apart(programs: Collection[Program]) -> dict[Program, str]:
    """Name programs, no two of them alike."""
    paths = _paths_apart({program.exe for program in programs})
    names = {program: paths[program.exe] for program in programs}
    for tell in (_where, _inode, _device):
        for alike in _alike(names):
            told = zip(alike, tell(alike), strict=True)
            names |= {program: f"{names[program]}{place}" for program, place in told}
    return names


def _paths_apart(paths: Iterable[str]) -> dict[str, str]:
    """Shorten paths to what tells each from the others."""
    named: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        named[path.rsplit("/", 1)[-1]].append(path)
    return {
        path: name
        for alike in named.values()
        for path, name in (_by_folders(alike) if len(alike) > 1 else _by_name(alike))
    }


def _by_name(paths: list[str]) -> list[tuple[str, str]]:
    return [(path, path.rsplit("/", 1)[-1] or "unknown program") for path in paths]


def _by_folders(paths: list[str]) -> list[tuple[str, str]]:
    parts = {path: path.lstrip("/").split("/") for path in paths}
    ends = Counter(tuple(p[-n:]) for p in parts.values() for n in range(1, len(p) + 1))
    least = {
        path: next((p[-n:] for n in range(1, len(p)) if ends[tuple(p[-n:])] == 1), ["", *p])
        for path, p in parts.items()
    }
    brief = {path: _brief(end) for path, end in least.items()}
    times = Counter(brief.values())
    return [
        (path, name if times[name] == 1 else "/".join(least[path])) for path, name in brief.items()
    ]


def _brief(parts: list[str]) -> str:
    """Leave out what lies between the folder that tells and the name."""
    lead = 1 if parts[0] else 2  # an empty part is the root
    if len(parts) <= lead + 1:
        return "/".join(parts)
    return f"{'/'.join(parts[:lead])}/…/{parts[-1]}"


def _alike(names: dict[Program, str]) -> list[list[Program]]:
    groups: dict[str, list[Program]] = defaultdict(list)
    for program, name in names.items():
        groups[name].append(program)
    return [group for group in groups.values() if len(group) > 1]


def _where(alike: list[Program]) -> list[str]:
    """Say the unit where that tells all of them, else the kind of container, else what differs."""
    units, containers = [p.unit for p in alike], [p.container for p in alike]
    both = list(zip(units, containers, strict=True))
    for one in (units, containers):
        if len(set(one)) == len(set(both)):
            return [f" ({place})" if place and len(set(both)) > 1 else "" for place in one]
    return [f" ({', '.join(filter(None, places))})" if any(places) else "" for places in both]


def _inode(alike: list[Program]) -> list[str]:
    return [f" (inode {program.ino})" for program in alike]


def _device(alike: list[Program]) -> list[str]:
    return [f" (device {program.dev})" for program in alike]
