"""What people call a container: its name, image, pod and namespace, from its runtime's files.

The kernel knows a container by the id in its cgroup. Which name that is, runtimes write down:
Docker in ``config.v2.json``, containerd and CRI-O in the bundle's ``config.json`` (annotations
``io.kubernetes.cri.*`` and ``io.kubernetes.*``), Podman in ``containers.json``, and the kubelet in
the names of the links in ``/var/log/containers``. No runtime is asked, no socket opened.
"""

from __future__ import annotations

import json
import os
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

#: Containers remembered.
_REMEMBERED = 1024
#: A bundle's specification is some tens of kilobytes; more is not read.
_MOST_BYTES = 4 << 20
_MOST_CHARACTERS = 253
_ID = re.compile(r"[0-9a-f]{32,64}(-[0-9]+)?")
#: Where each keeps its files, below the root.
PLACES = {
    "docker": "var/lib/docker/containers",
    "containerd": "run/containerd/io.containerd.runtime.v2.task",
    "cri-o": "run/containers/storage/overlay-containers",
    "podman": "var/lib/containers/storage/overlay-containers",
    "kubelet": "var/log/containers",
}


@dataclass(frozen=True, slots=True)
class Names:
    """What is known of one container; None where it is not.

    Attributes
    ----------
    name : str or None
    image : str or None
        As it was asked for, such as ``nginx:1.27``.
    pod, namespace : str or None
        Of Kubernetes.
    why : str or None
        Why nothing is known.
    """

    name: str | None = None
    image: str | None = None
    pod: str | None = None
    namespace: str | None = None
    why: str | None = None


class ContainerNames:
    """Looks names up, and remembers those of the latest containers.

    Parameters
    ----------
    root : Path, default /
        Below which the runtimes' files are.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._known: OrderedDict[str, Names] = OrderedDict()

    def of(self, container: str) -> Names:
        """Names of the container with this id; what is not found is looked for again next time."""
        if container in self._known:
            self._known.move_to_end(container)
            return self._known[container]
        found = self._look(container)
        if found.why is None:
            self._known[container] = found
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found

    def _look(self, container: str) -> Names:
        if not _ID.fullmatch(container):
            # lxc and nspawn have names and no ids.
            return Names(name=_shown(container)) if container else Names(why="no container")
        found = Names()
        for names in self._told(container):
            found = replace(
                found,
                name=found.name or names.name,
                image=found.image or names.image,
                pod=found.pod or names.pod,
                namespace=found.namespace or names.namespace,
            )
        return found if found != Names() else Names(why=self._why())

    def _told(self, container: str) -> Iterator[Names]:
        at = {runtime: self._root / place for runtime, place in PLACES.items()}
        yield _docker(_json(at["docker"] / container / "config.v2.json"))
        for namespace in _folders(at["containerd"]):
            yield _bundle(_json(at["containerd"] / namespace / container / "config.json"))
        for runtime in ("cri-o", "podman"):
            yield _bundle(_json(at[runtime] / container / "userdata" / "config.json"))
        yield _podman(_json(at["podman"] / "containers.json"), container)
        yield _kubelet(at["kubelet"], container)

    def _why(self) -> str:
        places = [self._root / place for place in PLACES.values()]
        there = [place for place in places if os.access(place, os.F_OK)]
        if not there:
            return "no runtime keeps its files where oddcall looks"
        closed = [place for place in there if not os.access(place, os.R_OK | os.X_OK)]
        if closed:
            return f"{closed[0]} may not be read"
        return "no runtime's files name it (gone, or of a user's own runtime)"


def _docker(found: Any) -> Names:  # noqa: ANN401  whatever the file holds
    config = _table(_table(found).get("Config"))
    labels = _table(config.get("Labels"))
    return Names(
        _text(labels.get("io.kubernetes.container.name"))
        or _text(str(_table(found).get("Name") or "").removeprefix("/")),
        _text(config.get("Image")),
        _text(labels.get("io.kubernetes.pod.name")),
        _text(labels.get("io.kubernetes.pod.namespace")),
    )


def _bundle(found: Any) -> Names:  # noqa: ANN401
    """Read an OCI bundle's annotations: containerd's own first, then those CRI-O writes."""
    notes = _table(_table(found).get("annotations"))

    def first(*keys: str) -> str | None:
        return next((text for key in keys if (text := _text(notes.get(key)))), None)

    return Names(
        first("io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"),
        first("io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName"),
        first("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"),
        first("io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"),
    )


def _podman(found: Any, container: str) -> Names:  # noqa: ANN401
    for entry in found if isinstance(found, list) else []:
        table = _table(entry)
        if table.get("id") == container:
            names = table.get("names")
            told = names[0] if isinstance(names, list) and names else None
            try:
                about = json.loads(str(table.get("metadata") or "{}"))
            except ValueError:
                about = {}
            return Names(_text(told), _text(_table(about).get("image-name")))
    return Names()


def _kubelet(folder: Path, container: str) -> Names:
    """Read the name of the link to its log: POD_NAMESPACE_CONTAINER-ID.log."""
    tail = f"-{container}.log"
    for name in _entries(folder):
        parts = name.removesuffix(tail).split("_")
        if name.endswith(tail) and len(parts) == 3:
            return Names(name=_text(parts[2]), pod=_text(parts[0]), namespace=_text(parts[1]))
    return Names()


def _json(path: Path) -> Any:  # noqa: ANN401
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None


def _folders(path: Path) -> list[str]:
    return [name for name in _entries(path) if (path / name).is_dir()]


def _entries(path: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in path.iterdir())
    except OSError:
        return []


def _table(found: Any) -> dict[str, Any]:  # noqa: ANN401
    return found if isinstance(found, dict) else {}


def _text(found: Any) -> str | None:  # noqa: ANN401
    return _shown(found) if isinstance(found, str) and found else None


def _shown(text: str) -> str:
    """As any file and terminal can take it: who names a container may be anybody."""
    cut = text[:_MOST_CHARACTERS]
    escaped = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in cut
    )
    return escaped.encode("utf-8", "backslashreplace").decode()
