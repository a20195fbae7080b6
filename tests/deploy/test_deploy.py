"""What is in deploy/ is sound in form, and agrees with the program that it runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from oddcall.sensor import privilege
from oddcall.sensor.container_names import PLACES
from oddcall.service.cli import VERBS
from oddcall.service.config.loading import load
from oddcall.service.config.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
MANIFEST = ROOT / "deploy/kubernetes/oddcall.yaml"

TEXT, TRUTH, COUNT = {"type": "string"}, {"type": "boolean"}, {"type": "integer", "minimum": 0}
TEXTS = {"type": "array", "items": TEXT}
LABELS = {"type": "object", "additionalProperties": TEXT}


def table(required: str = "", **properties: Any) -> dict[str, Any]:
    """An object of these properties and no others, as the API server takes it."""
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "required": required.split(),
    }


META = table("name", name=TEXT, namespace=TEXT, labels=LABELS)
PROBE = table(
    "exec",
    exec=table("command", command=TEXTS),
    periodSeconds=COUNT,
    timeoutSeconds=COUNT,
    failureThreshold=COUNT,
)
PROFILE = table("type", type={"enum": ["RuntimeDefault", "Unconfined", "Localhost"]})
CONTAINER = table(
    "name image",
    name=TEXT,
    image=TEXT,
    imagePullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
    args=TEXTS,
    env={"type": "array", "items": table("name", name=TEXT, value=TEXT)},
    securityContext=table(
        runAsUser=COUNT,
        allowPrivilegeEscalation=TRUTH,
        readOnlyRootFilesystem=TRUTH,
        appArmorProfile=PROFILE,
        capabilities=table(drop=TEXTS, add=TEXTS),
    ),
    resources=table(requests=LABELS, limits=LABELS),
    startupProbe=PROBE,
    livenessProbe=PROBE,
    volumeMounts={
        "type": "array",
        "items": table("name mountPath", name=TEXT, mountPath=TEXT, readOnly=TRUTH),
    },
)
VOLUME = table(
    "name",
    name=TEXT,
    configMap=table("name", name=TEXT),
    hostPath=table("path", path=TEXT, type={"enum": ["Directory", "DirectoryOrCreate"]}),
    emptyDir=table(sizeLimit=TEXT),
)
POD = table(
    "containers",
    hostPID=TRUTH,
    automountServiceAccountToken=TRUTH,
    nodeSelector=LABELS,
    tolerations={"type": "array", "items": table(operator={"enum": ["Exists", "Equal"]})},
    terminationGracePeriodSeconds=COUNT,
    securityContext=table(seccompProfile=PROFILE),
    containers={"type": "array", "items": CONTAINER},
    volumes={"type": "array", "items": VOLUME},
)
HEAD = {"apiVersion": TEXT, "kind": TEXT, "metadata": META}
#: The parts of the Kubernetes API (v1 and apps/v1) that are used, as strict as its own check.
KINDS = {
    "Namespace": table("apiVersion kind metadata", **HEAD),
    "ConfigMap": table("apiVersion kind metadata data", **HEAD, data=LABELS),
    "DaemonSet": table(
        "apiVersion kind metadata spec",
        **HEAD,
        spec=table(
            "selector template",
            selector=table("matchLabels", matchLabels=LABELS),
            updateStrategy=table(
                type={"enum": ["RollingUpdate", "OnDelete"]},
                rollingUpdate=table(maxUnavailable=COUNT),
            ),
            template=table("metadata spec", metadata=table(labels=LABELS), spec=POD),
        ),
    ),
}


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    documents = list(yaml.safe_load_all(MANIFEST.read_text()))
    assert len(documents) == len(KINDS)
    return {document["kind"]: document for document in documents}


def test_every_resource_has_the_apis_form(resources: dict[str, Any]) -> None:
    """No field is unknown or of another type, and what belongs together is in one namespace."""
    for kind, document in resources.items():
        jsonschema.validate(document, KINDS[kind])
    spec = resources["DaemonSet"]["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert {resources[kind]["metadata"]["namespace"] for kind in ("ConfigMap", "DaemonSet")} == {
        resources["Namespace"]["metadata"]["name"]
    }


def test_the_pod_gets_what_sensing_needs_and_no_more(resources: dict[str, Any]) -> None:
    """The host's pids, the four capabilities, nothing writable but its state and scratch."""
    pod = resources["DaemonSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["hostPID"] is True
    security = container["securityContext"]
    wanted = {*privilege.LOADING, *privilege.READING}
    assert {f"CAP_{name}" for name in security["capabilities"]["add"]} == wanted
    assert security["capabilities"]["drop"] == ["ALL"]
    assert security["readOnlyRootFilesystem"] is True
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert set(mounts) == {volume["name"] for volume in pod["volumes"]}
    writable = {name for name, mount in mounts.items() if not mount.get("readOnly")}
    assert writable == {"state", "scratch"}
    paths = {mount["mountPath"] for mount in mounts.values()}
    assert {"/sys/kernel/btf", "/sys/kernel/tracing", "/var/lib/oddcall"} <= paths
    assert {f"/{PLACES['kubelet']}", f"/{PLACES['containerd']}"} <= paths


def test_its_settings_and_its_command_can_be_used(
    resources: dict[str, Any], tmp_path: Path
) -> None:
    """The settings in the manifest load, it starts a verb there is, and probes its own port."""
    file = tmp_path / "oddcall.toml"
    file.write_text(resources["ConfigMap"]["data"]["oddcall.toml"])
    assert [sink.type for sink in load(file=file, environ={}).settings.sinks] == ["stdout"]
    (container,) = resources["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    assert container["args"][0] in VERBS
    for probe in ("startupProbe", "livenessProbe"):
        code = container[probe]["exec"]["command"][-1]
        compile(code, probe, "exec")
        assert f"127.0.0.1:{Settings().web.port}/healthz" in code


def test_the_image_copies_what_is_there() -> None:
    """Every source of a COPY from the checkout exists; every package is brought along."""
    text = DOCKERFILE.replace("\\\n", " ")
    copied: set[str] = set()
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        *sources, _ = line.split()
        copied.update(sources)
    assert not [source for source in copied if not (ROOT / source).exists()]
    assert copied >= {"bpf", "models", "training", "sensor", "service", "pyproject.toml"}
    stages = re.findall(r"^FROM \S+(?: AS (\w+))?$", text, re.MULTILINE)
    assert set(re.findall(r"--from=(\w+)", text)) <= set(stages)


def test_every_instruction_of_the_image_is_known() -> None:
    """Each logical line begins with an instruction; apt leaves no lists behind."""
    known = {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "VOLUME", "ENTRYPOINT", "CMD"}
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip()]
    assert {line.split()[0] for line in lines} <= known
    for line in lines:
        if "apt-get install" in line:
            assert "--no-install-recommends" in line
            assert "rm -rf /var/lib/apt/lists" in line
    added = set(re.findall(r"--cap-add=(\w+)", DOCKERFILE))
    assert {f"CAP_{name}" for name in added} == {*privilege.LOADING, *privilege.READING}
