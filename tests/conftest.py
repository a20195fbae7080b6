"""What tests share: when the kernel may be touched, hypothesis, a lake, a browser."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

# As every verb has it: several threads wait for each other, most of all beside other tests.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import pytest
from hypothesis import settings

from oddcall.models.window import WindowBatch

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Shared cores make single examples slow now and then; that says nothing about the code.
settings.register_profile("oddcall", deadline=None)
settings.load_profile("oddcall")

# Bits of the effective capabilities (capabilities(7)).
CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF = 21, 38, 39


def may_load_programs() -> bool:
    """Whether this process may load and attach a BPF program."""
    status = Path("/proc/self/status").read_text()
    held = int(status.split("CapEff:")[1].split()[0], 16)
    return bool(held >> CAP_SYS_ADMIN & 1 or (held >> CAP_BPF & 1 and held >> CAP_PERFMON & 1))


def pytest_configure() -> None:
    """Take Ctrl-C for what it is: a job put into the background by a script ignores it.

    What is ignored stays ignored in every process that the tests start; a handler does not.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs the kernel only for want of privilege: any other lack is a failure."""
    if not may_load_programs():
        skip = pytest.mark.skip(reason="may not load programs into the kernel: run as root")
        for item in items:
            if item.get_closest_marker("kernel"):
                item.add_marker(skip)
    if hasattr(config, "workerinput"):  # one of several workers: what takes longest comes first
        items.sort(key=lambda item: not loads_programs(item.path))


@cache
def loads_programs(module: Path) -> bool:
    """Whether any test of a module needs the kernel."""
    return "pytest.mark.kernel" in module.read_text()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each module to one worker, so that what it shares is made once.

    All that loads into the kernel goes to the same one: at once, such tests would starve and count
    each other. It mostly waits, and takes half of the time.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0]
            return "kernel" if loads_programs(config.rootpath / module) else module

    return ByModule(config, log)


#: Seconds of each recording.
_LENGTH, _NS = 240, 1_000_000_000


@dataclass(frozen=True)
class Lake:
    """Where it is, and what was done in it."""

    root: Path
    labels: Path

    def clean(self, name: str) -> Path:
        return self.root / name / "clean"

    def later(self, name: str) -> Path:
        return self.root / name / "later"


@pytest.fixture(scope="session")
def small_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two made hosts, each with a clean recording and a later one with attacks."""
    from oddcall.training.labels import Label, write_labels
    from oddcall.training.recording import METADATA
    from oddcall.training.synthetic import BEGAN_S, attacks, host

    root = tmp_path_factory.mktemp("lake")
    labels: list[Label] = []
    for number, name in enumerate(("web1", "web2")):
        metadata = dict.fromkeys(METADATA, "made") | {"host_id": name, "arch": "x86_64"}
        metadata["interval_s"] = "1"
        _write(root / name / "clean", metadata, host(_LENGTH, seed=number))
        ticks = host(_LENGTH, seed=10 + number, start=_LENGTH)
        for k, (attack, batches) in enumerate(attacks(number, second=_LENGTH + 180).items()):
            at = _LENGTH + 180 + 18 * k
            odd = _moved(WindowBatch.concat(batches), 18 * k)
            ticks[at - _LENGTH] = WindowBatch.concat([ticks[at - _LENGTH], odd])
            begin, end = (BEGAN_S + at) * _NS, (BEGAN_S + at + 1) * _NS
            labels.append(Label(attack, begin, end, pid=100, host=name))
            if attack == "shell":  # a child that the made windows do not name as one
                labels.append(Label("shell-child", begin, end, pid=4000, host=name))
        _write(root / name / "later", metadata, ticks)
    write_labels(root / "labels.jsonl", labels)
    return Lake(root, root / "labels.jsonl")


def _write(folder: Path, metadata: dict[str, str], batches: list[WindowBatch]) -> None:
    from oddcall.training.recording import RecordingWriter

    with RecordingWriter(folder, metadata) as writer:
        for batch in batches:
            writer.append(batch)


def _moved(batch: WindowBatch, seconds: int) -> WindowBatch:
    by = np.int64(seconds * _NS)
    return replace(batch, t_start_ns=batch.t_start_ns + by, t_end_ns=batch.t_end_ns + by)


def browser_path() -> str:
    """Chromium of the distribution. Ubuntu has it as a snap only, which cannot be run like this."""
    found = shutil.which("chromium")
    if found is None or b"/snap/" in Path(found).read_bytes():
        if "ubuntu" in Path("/etc/os-release").read_text():
            pytest.skip("Ubuntu's Chromium is a snap: it neither runs in a container nor for root")
        pytest.fail("no chromium: `make setup-test` installs it")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that draws pages, started once for a file of tests."""
    from playwright.sync_api import sync_playwright

    path = browser_path()
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()
