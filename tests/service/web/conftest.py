"""A whole watch that serves its page: all of it runs, only the kernel is made up."""

from __future__ import annotations

import json
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from oddcall.models.model import Model
from oddcall.models.window import WindowBatch
from oddcall.sensor.sensor import Cost, Tick
from oddcall.service import session
from oddcall.service.alerts.context import Context
from oddcall.service.config.loading import load
from oddcall.service.origin import host_of
from oddcall.service.web.address import Address, read
from oddcall.training.synthetic import attacks, host

from ..conftest import METADATA

S = 1_000_000_000
#: Nothing here takes this long. No promise hangs on time: this only ends a test that hangs.
PATIENCE_S = 120.0


class MadeUp:
    """A source: what was written down, then a tick now and then with what tests put in."""

    def __init__(self, batches: list[WindowBatch]) -> None:
        self.batches, self.more = batches, queue.SimpleQueue[WindowBatch]()
        self.stopped = threading.Event()

    def ticks(self) -> Iterator[Tick]:
        for batch in self.batches:
            yield self._tick(batch, int(batch.t_end_ns.max()))
        while not self.stopped.wait(0.1):
            now = time.time_ns()
            batch = WindowBatch.empty() if self.more.empty() else moved(self.more.get(), now)
            yield self._tick(batch, now)

    def stop(self) -> None:
        self.stopped.set()

    def _tick(self, batch: WindowBatch, time_ns: int) -> Tick:
        cost = Cost(time.process_time(), 90_000_000)
        return Tick(time_ns, 0.002, batch, {"full map": 0}, 70, cost)


def moved(batch: WindowBatch, end_ns: int) -> WindowBatch:
    """The batch as if it ended then."""
    by = end_ns - int(batch.t_end_ns.max())
    return replace(batch, t_start_ns=batch.t_start_ns + by, t_end_ns=batch.t_end_ns + by)


@dataclass
class Watching:
    """A watch in a thread, and how to ask its page."""

    source: MadeUp
    state: Path
    screen: Any
    address: Address
    thread: threading.Thread = field(repr=False)

    def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and answer, JSON where it is."""
        status, answer, _ = self.whole(path, body, **headers)
        return status, answer

    def whole(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        request = urllib.request.Request(self.address.url + path)
        if body is not None:
            request.data = body if isinstance(body, bytes) else json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            answer = urllib.request.urlopen(request, timeout=PATIENCE_S)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read().decode()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(text) if is_json else text, answer.headers

    def until(self, found: Any, seconds: float = PATIENCE_S) -> Any:
        """Ask until there is an answer."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if answer := found():
                return answer
            time.sleep(0.05)
        pytest.fail("did not come about")


class Told:
    colour = False

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def show(self, status: Any) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def watching(trained: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    """A minute of a made-up host that ends now, with a port scan in it."""
    ticks = host(60, seed=3, start=300)
    ticks.insert(40, attacks(1, 340)["scan"][0])
    last = int(ticks[-1].t_end_ns.max())
    shift = time.time_ns() - last
    source = MadeUp([moved(b, int(b.t_end_ns.max()) + shift) for b in ticks])
    state = tmp_path_factory.mktemp("state")
    flags = {"state_dir": str(state), "web.port": "0"}
    request = session.Request(load(flags, environ={}).settings)
    ask = lambda pid, *_: Context(f"/usr/bin/python3 <b>app</b> {pid}", "systemd")  # noqa: E731
    here = session.Here(source, METADATA, host_of(METADATA), ask)
    screen = Told()
    thread = threading.Thread(target=session.run, args=(request, trained, here, screen))
    thread.start()
    try:
        end = time.monotonic() + PATIENCE_S
        while not (address := read(state)) and time.monotonic() < end:
            time.sleep(0.02)
        assert address, screen.lines
        found = Watching(source, state, screen, address, thread)
        found.until(lambda: found.ask("api/state")[1]["episodes"])
        # The minute is over, and ticks come as they do on a host.
        found.until(lambda: found.ask("api/state")[1]["alive"])
        yield found
    finally:
        source.stop()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()
