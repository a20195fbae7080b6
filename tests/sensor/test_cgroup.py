"""Raw text of /proc/PID/cgroup in, container and unit out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.sensor.cgroup import Group, parse

A = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970"
B = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
POD = "a5c1f8d5-1919-434d-add7-4afaafdaef89"
POD_ = POD.replace("-", "_")
KUBE = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{POD_}.slice"
USER = "/user.slice/user-1000.slice/user@1000.service"
APPS = f"{USER}/app.slice"

#: systemd's own tree: path, unit.
UNITS = [
    ("/", ""),
    ("/init.scope", "init.scope"),
    ("/system.slice", ""),
    ("/system.slice/nginx.service", "nginx.service"),
    ("/system.slice/nginx.service (deleted)", "nginx.service"),
    ("/system.slice/postgresql-15.service", "postgresql-15.service"),
    ("/system.slice/system-getty.slice/getty@tty1.service", "getty@.service"),
    ("/system.slice/system-postgresql.slice/postgresql@15-main.service", "postgresql@.service"),
    ("/system.slice/system-sshd.slice/sshd@0-10.0.0.1:22-10.0.0.9:4.service", "sshd@.service"),
    ("/system.slice/cron.service/inner/leaf", "cron.service"),
    ("/user.slice/user-1000.slice/session-2.scope", "session.scope"),
    ("/user.slice/user-42.slice/session-c1.scope", "session.scope"),
    (f"{USER}/init.scope", "user@.service"),
    (f"{APPS}/app-gnome-org.gnome.Maps-3041.scope", "app-gnome-org.gnome.Maps.scope"),
    (f"{APPS}/app-org.kde.konsole-{A[:32]}.scope", "app-org.kde.konsole.scope"),
    (f"{APPS}/app-firefox@{A[:32]}.service", "app-firefox@.service"),
    (f"{APPS}/vte-spawn-{POD}.scope", "vte-spawn.scope"),
    (f"{APPS}/snap.firefox.firefox-{POD}.scope", "snap.firefox.firefox.scope"),
    (f"{APPS}/dbus-:1.2-org.gnome.Shell@0.service", "dbus-org.gnome.Shell@.service"),
    ("/system.slice/run-u118.service", "run.service"),
    (f"/system.slice/run-r{A[:32]}.scope", "run.scope"),
    ("/system.slice/run-p4021-i9377.service", "run.service"),
    ("/system.slice/-12.scope", "-12.scope"),
]

#: What stands below a unified hierarchy: path, unit, container, container id, pod.
PATHS = [
    *((path, unit, "", "", "") for path, unit in UNITS),
    # docker, by the systemd driver and by the cgroupfs driver
    (f"/system.slice/docker-{A}.scope", "", "docker", A, ""),
    (f"/docker/{A}", "", "docker", A, ""),
    (f"/docker/{A}/docker/{B}", "", "docker", B, ""),
    (f"/docker/{A}/system.slice/cron.service", "cron.service", "docker", A, ""),
    ("/docker/buildkit/0kq2uy6ldtbyc0qtuqvtu4xkr", "", "docker", "0kq2uy6ldtbyc0qtuqvtu4xkr", ""),
    (f"{USER}/user.slice/docker-{A}.scope", "user@.service", "docker", A, ""),
    (f"/{A}", "", "oci", A, ""),
    ("/system.slice/docker.service", "docker.service", "", "", ""),
    # containerd and CRI-O under a kubelet
    (f"{KUBE}/cri-containerd-{A}.scope", "", "containerd", A, POD),
    (f"{KUBE}/crio-{A}.scope", "", "cri-o", A, POD),
    (f"{KUBE}/crio-{A}.scope/container", "", "cri-o", A, POD),
    (f"{KUBE}/crio-conmon-{A}.scope", "crio-conmon.scope", "", "", POD),
    (f"{KUBE}/docker-{A}.scope", "", "docker", A, POD),
    (
        f"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{POD_}.slice/cri-containerd-{A}.scope",
        *("", "containerd", A, POD),
    ),
    (f"/kubepods/besteffort/pod{POD}/{A}", "", "kubernetes", A, POD),
    (f"/kubepods/burstable/pod{POD}/crio-{A}", "", "cri-o", A, POD),
    (f"/kubepods/pod{A[:32]}/{B}", "", "kubernetes", B, A[:32]),
    (
        f"/system.slice/containerd.service/kubepods-burstable-pod{POD_}.slice:cri-containerd:{A}",
        *("containerd.service", "containerd", A, POD),
    ),
    (f"/docker/{A}/kubepods/besteffort/pod{POD}/{B}", "", "kubernetes", B, POD),
    (f"/default/{A}", "", "containerd", A, ""),
    (f"/system.slice/nerdctl-{A}.scope", "", "containerd", A, ""),
    (f"/ecs/{A[:32]}/{B}", "", "ecs", B, ""),
    (f"/ecs/{A[:32]}/{A[:32]}-2143648", "", "ecs", f"{A[:32]}-2143648", ""),
    # podman, with root and without, and as a service
    (f"/machine.slice/libpod-{A}.scope", "", "podman", A, ""),
    (f"/machine.slice/libpod-{A}.scope/container", "", "podman", A, ""),
    (f"/machine.slice/libpod-conmon-{A}.scope", "libpod-conmon.scope", "", "", ""),
    (f"{USER}/user.slice/libpod-{A}.scope/container", "user@.service", "podman", A, ""),
    (f"{APPS}/wiki.service/libpod-payload-{A}", "wiki.service", "podman", A, ""),
    (f"/libpod_parent/libpod-{A}", "", "podman", A, ""),
    # system containers, which have names and a tree of their own
    ("/lxc.payload.example", "", "lxc", "example", ""),
    ("/lxc.payload/example/init.scope", "init.scope", "lxc", "example", ""),
    ("/lxc/deloitte/system.slice/php7.1-fpm.service", "php7.1-fpm.service", "lxc", "deloitte", ""),
    (f"/lxc.payload.ci/docker/{A}", "", "docker", A, ""),
    ("/lxc.monitor.example", "", "", "", ""),
    ("/lxc", "", "", "", ""),
    (r"/machine.slice/machine-my\x2dbox.scope/payload", "", "nspawn", "my-box", ""),
    (
        r"/machine.slice/machine-box.scope/payload/system.slice/ssh.service",
        "ssh.service",
        "nspawn",
        "box",
        "",
    ),
    (r"/machine.slice/machine-box.scope/supervisor", "machine.scope", "", "", ""),
    (
        "/machine.slice/systemd-nspawn@box.service/payload/init.scope",
        "init.scope",
        "nspawn",
        "box",
        "",
    ),
    ("/machine.slice/systemd-nspawn@box.service/supervisor", "systemd-nspawn@.service", "", "", ""),
    (r"/machine.slice/machine-qemu\x2d7\x2dvm.scope", "machine-qemu.scope", "", "", ""),
    (r"/machine.slice/machine-lxc\x2d1268\x2dsl.scope", "", "libvirt-lxc", "sl", ""),
    ("/machine/lxc-1268-sl.libvirt-lxc", "", "libvirt-lxc", "sl", ""),
]


@pytest.mark.parametrize(("path", "unit", "container", "container_id", "pod"), PATHS)
def test_paths_of_the_unified_hierarchy(
    path: str, unit: str, container: str, container_id: str, pod: str
):
    """Promise: each runtime's and systemd's documented path gives its fields, on cgroup v2."""
    shown = path.removesuffix(" (deleted)")
    assert parse(f"0::{path}\n") == Group(unit, container_id, container, shown, pod)


@pytest.mark.parametrize(("path", "unit", "container", "container_id", "pod"), PATHS)
def test_the_same_paths_on_version_1(
    path: str, unit: str, container: str, container_id: str, pod: str
):
    """Promise: a v1 host gives the same, whichever controllers stand beside the systemd line."""
    text = f"12:cpu,cpuacct:/\n4:memory:{path}\n1:name=systemd:{path}\n"
    group = parse(text)
    assert (group.unit, group.container, group.container_id, group.pod) == (
        *(unit, container, container_id),
        pod,
    )


def test_hybrid_believes_the_systemd_hierarchy():
    """Promise: where controllers disagree, systemd's own line says the unit."""
    text = (
        "5:pids:/user.slice\n1:name=systemd:/system.slice/a.service\n0::/system.slice/b.service\n"
    )
    assert parse(text).unit == "a.service"


def test_a_unit_is_found_where_systemd_and_unified_say_nothing():
    """Promise: hosts without systemd but with a container in the controllers are understood."""
    text = f"9:name=systemd:/\n4:memory:/docker/{A}\n0::/\n"
    assert parse(text) == Group("", A, "docker", f"/docker/{A}")


def test_a_container_outweighs_a_unit():
    """Promise: rootless podman on v1 (only one hierarchy delegated) is still a container."""
    text = f"3:memory:{USER}\n1:name=systemd:{USER}/user.slice/libpod-{A}.scope/container\n"
    assert parse(text).container_id == A
    text = f"1:name=systemd:/system.slice/containerd.service\n3:memory:/k8s.io/{A}\n"
    assert parse(text).container == "containerd"


def test_docker_on_debian_without_a_folder():
    """Promise: every hierarchy naming a bare id is a container of a kind not told."""
    names = ("net_prio", "perf_event", "blkio", "freezer", "cpu")
    text = "".join(f"{n}:{name}:/{A}\n" for n, name in enumerate(names, 2))
    assert parse(text) == Group("", A, "oci", f"/{A}")


def test_an_app_started_again_is_the_same_unit():
    """Promise: what a desktop or terminal numbers anew at each start does not show."""
    first = parse(f"0::{USER}/app.slice/app-flatpak-org.x.Y-1.scope").unit
    again = parse(f"0::{USER}/app.slice/app-flatpak-org.x.Y-20931.scope").unit
    assert first == again == "app-flatpak-org.x.Y.scope"


@given(st.text(max_size=400))
def test_any_text_is_accepted(text: str):
    """Promise: no text makes the parser fail, and an empty answer is an answer."""
    assert isinstance(parse(text), Group)


_ODD = (
    "lxc payload lxc.payload lxc.payload. docker a@b.service @ .scope machine-.scope -1.scope "
    r"machine-\xff.scope init.scope kubepods systemd-nspawn@.service dbus-:1.2- session-1.scope "
    f"ecs : :: {A} docker-{A}.scope pod{POD} {'x' * 25}"
)
_PART = st.sampled_from(_ODD.split())


@given(st.lists(st.tuples(st.sampled_from(["0:", "1:name=systemd", "4:memory", "0"]), _PART)))
def test_lines_made_of_odd_parts(lines: list[tuple[str, str]]):
    """Promise: no mixture of meaningful parts fails, and a kind always comes with an id."""
    group = parse("\n".join(f"{head}:/{part}/{part}" for head, part in lines))
    assert bool(group.container) == bool(group.container_id)


@given(st.lists(_PART, max_size=8))
def test_paths_made_of_odd_parts(parts: list[str]):
    """Promise: a unit always ends in .service or .scope, and the path is what was given."""
    path = "/" + "/".join(parts)
    group = parse(f"0::{path}")
    assert group.path == path
    assert not group.unit or group.unit.endswith((".service", ".scope"))
