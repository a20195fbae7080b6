"""Which container and which systemd unit a process is in, from the text of /proc/PID/cgroup.

What a path means is documented by those who make it: systemd's unit names
(``systemd.unit(5)``, ``systemd.scope(5)``, the desktop environment conventions), the OCI runtimes'
``prefix-ID.scope`` for the systemd driver and ``parent/ID`` for the cgroupfs driver, the
kubelet's ``kubepods`` tree, ``lxc.payload``, and ``machine-NAME.scope`` of systemd-machined.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_ID = r"[0-9a-f]{64}"
_UUID = r"[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}"

#: The prefix an OCI runtime gives its scopes, and whose it is. Longer prefixes first.
_RUNTIMES = {
    "cri-containerd": "containerd",
    "libpod-payload": "podman",
    "libpod": "podman",
    "docker": "docker",
    "crio": "cri-o",
    "nerdctl": "containerd",
    "containerd": "containerd",
}
_OCI = re.compile(rf"(?:.*:)?({'|'.join(_RUNTIMES)})[-:]({_ID})(?:\.scope)?")
_BARE = re.compile(_ID)
#: A task's container on Fargate, and a build step of BuildKit: not the usual 64 digits.
_TASK = re.compile(r"[0-9a-f]{32}-[0-9]+|[0-9a-z]{25}")

#: A folder above an id that says which runtime made it. Kubernetes' does not say.
_PARENTS = {
    "docker": "docker",
    "actions_job": "docker",
    "ecs": "ecs",
    "default": "containerd",
    "k8s.io": "containerd",
    "libpod_parent": "podman",
}

_POD = re.compile(rf"(?:kube.*-)?pod({_UUID}|[0-9a-f]{{32}})(?:\.slice)?(?::.*)?")
#: System containers have names: a part with the one below it, the kind, and how many parts
#: of the path the name takes.
_NAMED = (
    (re.compile(r"lxc(?:\.payload)?/(.+)"), "lxc", 2),
    (re.compile(r"lxc\.payload\.(.+?)/.*"), "lxc", 1),
    (re.compile(r"machine-lxc-[0-9]+-(.+)\.scope/.*"), "libvirt-lxc", 1),
    (re.compile(r"lxc-[0-9]+-(.+)\.libvirt-lxc/.*"), "libvirt-lxc", 1),
    (re.compile(r"machine-(?!qemu-)(.+)\.scope/(?!supervisor$).*"), "nspawn", 1),
    (re.compile(r"systemd-nspawn@(.+)\.service/payload"), "nspawn", 1),
)
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")

_UNIT = re.compile(r"(?P<stem>.+)\.(?P<kind>service|scope)")
#: What systemd, terminals and desktops append so that each start gets a name of its own.
_RANDOM = re.compile(rf"(?<=.)(?:-(?:{_UUID}|r?[0-9a-f]{{16,64}}))+$")
_SERIAL = re.compile(rf"(?<=.)(?:-(?:{_UUID}|r?[0-9a-f]{{16,64}}|[cu]?[0-9]+|p[0-9]+-i[0-9]+))+$")
_BUS_NAME = re.compile(r"^dbus-:[0-9.]+-")


@dataclass(frozen=True, slots=True)
class Group:
    """Where a process runs.

    Attributes
    ----------
    unit : str
        systemd service or scope, innermost, **without what differs from one start to the
        next**: ``session-12.scope`` is ``session.scope`` and ``getty@tty1.service`` is
        ``getty@.service``. A template's instance goes too, though some are stable names,
        because many are not (``sshd@`` has one a connection) and a baseline must neither start
        anew with each nor be had in any number by whoever can choose the name.
    container_id : str
        64 hexadecimal digits, or the name where the runtime has names (lxc, nspawn).
    container : str
        Kind: ``docker``, ``containerd``, ``cri-o``, ``podman``, ``kubernetes`` (runtime not
        told), ``ecs``, ``lxc``, ``libvirt-lxc``, ``nspawn``, ``oci`` (an id and nothing else).
    path : str
        The path all this was read from.
    pod : str
        Kubernetes pod uid, with dashes, or ``""``.

    Every field is ``""`` where the path does not tell.
    """

    unit: str = ""
    container_id: str = ""
    container: str = ""
    path: str = ""
    pod: str = ""


@lru_cache(maxsize=1024)
def parse(text: str) -> Group:
    """Read the text of ``/proc/PID/cgroup``, of version 1, 2 or hybrid.

    The named systemd hierarchy is believed first, then the unified one, then the others in
    their order: the first path that tells a container wins, else the first that tells a unit.
    A container within a container is the inner one. Any text is accepted; what is not
    understood gives empty fields.
    """
    groups = [_read_path(path) for path in _paths(text)]
    for told in ("container", "unit", "path"):
        for group in groups:
            if getattr(group, told):
                return group
    return Group()


def _paths(text: str) -> list[str]:
    """Give the distinct paths, the most believable first."""
    ranks: dict[str, int] = {}
    for line in text.split("\n"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if path.startswith("/"):
            rank = 0 if controllers == "name=systemd" else 1 if number == "0" else 2
            path = path.removesuffix(" (deleted)")
            ranks[path] = min(rank, ranks.get(path, rank))
    return sorted(ranks, key=ranks.__getitem__)


def _read_path(path: str) -> Group:
    parts = [part for part in path.split("/") if part]
    pod = kind = name = ""
    around, inside = parts, parts
    for place, part in enumerate(parts):
        if found := _POD.fullmatch(part):
            pod = _dashed(found[1])
        if container := _container(parts, place):
            kind, name, width = container
            around, inside = parts[:place], parts[place + width :]
    return Group(_unit(inside) or _unit(around), name, kind, path, pod)


def _container(parts: list[str], place: int) -> tuple[str, str, int] | None:
    """Kind and id of the container that begins here, and how many parts its name takes."""
    part, parent = parts[place], _parent(parts[:place])
    if found := _OCI.fullmatch(part):
        return _RUNTIMES[found[1]], found[2], 1
    if _BARE.fullmatch(part) or (parent in ("docker", "ecs") and _TASK.fullmatch(part)):
        return parent or "oci", part, 1
    below = parts[place + 1] if place + 1 < len(parts) else ""
    for pattern, kind, width in _NAMED:
        if found := pattern.fullmatch(f"{_unescaped(part)}/{below}"):
            return kind, found[1], width
    return None


def _parent(above: list[str]) -> str:
    """Kind of container told by the nearest folder that tells one."""
    for part in reversed(above):
        if part in _PARENTS:
            return _PARENTS[part]
        if _POD.fullmatch(part) or part.startswith("kubepods"):
            return "kubernetes"
    return ""


def _unit(parts: list[str]) -> str:
    """Find the innermost service or scope, by the name it keeps when started again."""
    units = [found for part in parts if (found := _UNIT.fullmatch(part))]
    # init.scope below a user's manager is that manager, not the system's.
    if len(units) > 1 and units[-1][0] == "init.scope":
        units.pop()
    return _steady(units[-1]["stem"], units[-1]["kind"]) if units else ""


def _steady(stem: str, kind: str) -> str:
    if stem.startswith("machine-"):
        stem = "machine-qemu" if stem.startswith("machine-qemu") else "machine"
    template, at, _ = stem.partition("@")
    if not at:
        transient = kind == "scope" or stem.startswith("run-")
        template = (_SERIAL if transient else _RANDOM).sub("", stem) or stem
    return f"{_BUS_NAME.sub('dbus-', template)}{at}.{kind}"


def _dashed(uid: str) -> str:
    # The uid of a static pod is a bare hash: as it is written, so it is known to the kubelet.
    return uid.replace("_", "-")


def _unescaped(name: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), name)
