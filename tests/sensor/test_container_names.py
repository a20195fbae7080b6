"""A container's id becomes the names that its runtime wrote down, or a reason why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.sensor.container_names import PLACES, ContainerNames, Names

ID = "3f2a" * 16


def write(root: Path, runtime: str, path: str, content: Any) -> None:
    place = root / PLACES[runtime] / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content if isinstance(content, str) else json.dumps(content))


def test_docker(tmp_path: Path) -> None:
    """Docker's own name and image; under Kubernetes the labels' names."""
    found = {"Name": "/web", "Config": {"Image": "nginx:1.27", "Labels": {}}}
    write(tmp_path, "docker", f"{ID}/config.v2.json", found)
    assert ContainerNames(tmp_path).of(ID) == Names("web", "nginx:1.27")
    found["Config"]["Labels"] = {
        "io.kubernetes.container.name": "app",
        "io.kubernetes.pod.name": "web-0",
        "io.kubernetes.pod.namespace": "shop",
    }
    write(tmp_path, "docker", f"{ID}/config.v2.json", found)
    assert ContainerNames(tmp_path).of(ID) == Names("app", "nginx:1.27", "web-0", "shop")


def test_containerd_and_the_kubelet(tmp_path: Path) -> None:
    """The bundle's annotations and the link of the log tell the same names, each alone too."""
    write(tmp_path, "kubelet", f"web-0_shop_app-{ID}.log", "")
    assert ContainerNames(tmp_path).of(ID) == Names("app", None, "web-0", "shop")
    notes = {
        "io.kubernetes.cri.container-name": "app",
        "io.kubernetes.cri.image-name": "docker.io/library/nginx:1.27",
        "io.kubernetes.cri.sandbox-name": "web-0",
        "io.kubernetes.cri.sandbox-namespace": "shop",
    }
    write(tmp_path, "containerd", f"k8s.io/{ID}/config.json", {"annotations": notes})
    image = "docker.io/library/nginx:1.27"
    assert ContainerNames(tmp_path).of(ID) == Names("app", image, "web-0", "shop")


def test_crio_and_podman(tmp_path: Path) -> None:
    """CRI-O's annotations; Podman's list of containers."""
    notes = {
        "io.kubernetes.container.name": "app",
        "io.kubernetes.pod.name": "web-0",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.cri-o.ImageName": "quay.io/x:2",
    }
    write(tmp_path, "cri-o", f"{ID}/userdata/config.json", {"annotations": notes})
    assert ContainerNames(tmp_path).of(ID) == Names("app", "quay.io/x:2", "web-0", "shop")
    other = "ab" * 32
    about = json.dumps({"image-name": "docker.io/library/redis:7"})
    listed = [{"id": "0" * 64}, {"id": other, "names": ["cache"], "metadata": about}]
    write(tmp_path, "podman", "containers.json", listed)
    assert ContainerNames(tmp_path).of(other) == Names("cache", "docker.io/library/redis:7")


def test_why_not_is_said(tmp_path: Path) -> None:
    """No runtime, a runtime that does not name it, and a name that needs no look-up."""
    names = ContainerNames(tmp_path)
    assert names.of(ID) == Names(why="no runtime keeps its files where oddcall looks")
    write(tmp_path, "docker", "other/config.v2.json", {})
    assert "no runtime's files name it" in str(names.of(ID).why)
    write(tmp_path, "docker", f"{ID}/config.v2.json", {"Name": "/late"})
    assert names.of(ID).name == "late", "what was not found is looked for again"
    assert names.of("build-vm") == Names("build-vm")


@pytest.mark.parametrize("strange", ["../../../etc/passwd", "a/b", "..", "x" * 200])
def test_an_id_that_is_none_leads_nowhere(tmp_path: Path, strange: str) -> None:
    """Only hexadecimal ids become paths."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("{}")
    assert ContainerNames(tmp_path).of(strange) == Names(strange)


def test_memory_is_bounded(tmp_path: Path) -> None:
    """However many containers come and go, about a thousand are remembered."""
    names = ContainerNames(tmp_path)
    write(tmp_path, "podman", "containers.json", "")
    ids = [f"{number:064x}" for number in range(1100)]
    write(tmp_path, "podman", "containers.json", [{"id": i, "names": ["n"]} for i in ids[:20]])
    for i in ids[:20]:
        assert names.of(i).name == "n"
    names._known.update({i: Names("n") for i in ids[20:1024]})
    write(tmp_path, "podman", "containers.json", [{"id": ids[-1], "names": ["new"]}])
    before = len(names._known)
    assert names.of(ids[-1]).name == "new"
    assert len(names._known) == before


KEYS = st.text() | st.sampled_from(["Name", "Config", "Labels", "annotations", "id", "names"])
ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(KEYS, x)
)


@given(ANYTHING)
def test_any_json_is_accepted(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    """Whatever a runtime wrote, the answer is names, without a control character."""
    root = tmp_path_factory.mktemp("root")
    write(root, "docker", f"{ID}/config.v2.json", content)
    write(root, "containerd", f"default/{ID}/config.json", content)
    write(root, "podman", "containers.json", content)
    found = ContainerNames(root).of(ID)
    assert all(text is None or text.isprintable() for text in (found.name, found.image, found.pod))
