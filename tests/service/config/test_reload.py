"""Promises of SIGHUP: what can be taken is taken between two ticks, what cannot is named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from oddcall.models.bundle import save_bundle
from oddcall.models.errors import SettingError
from oddcall.service import session
from oddcall.service.alerts.context import Context
from oddcall.service.config.loading import load
from oddcall.service.config.reload import Reload
from oddcall.service.config.settings import Settings
from oddcall.service.origin import host_of
from oddcall.training.fit import fit
from oddcall.training.synthetic import host

PTRACE, CONNECT = 101, 42


def settings_of(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "oddcall.toml"
    file.write_text(text)
    flags = {"state_dir": str(tmp_path / "state"), "web.enabled": "false"}
    return load(flags, file=file, environ={}).settings


def sink(name: str, path: Path) -> str:
    return f'[[sinks]]\ntype = "file"\nname = "{name}"\npath = "{path}"\n'


def test_what_needs_a_restart_is_named(tmp_path: Path) -> None:
    """Live settings are taken, the others stay as they were, and both are said."""
    before = settings_of(tmp_path, '[alerts]\ncooldown = "1m"\n')
    said: list[str] = []
    found = '[alerts]\ncooldown = "5m"\nhistory = 500\n[sensor]\ninterval = "2s"\n'
    reload = Reload(lambda: settings_of(tmp_path, found))
    assert reload.taken(before, said.append) is None
    reload.ask()
    taken = reload.taken(before, said.append)
    assert taken is not None
    assert (taken.alerts.cooldown, taken.alerts.history, taken.sensor.interval) == (300, 10_000, 1)
    (line,) = said
    assert line.endswith("taken: alerts.cooldown; after a restart: sensor.interval, alerts.history")
    assert reload.taken(taken, said.append) is None
    reload.ask()
    assert reload.taken(settings_of(tmp_path, found), said.append) is None
    assert said[-1] == "the configuration was read again, nothing to take"


def test_a_wrong_configuration_changes_nothing(tmp_path: Path) -> None:
    """What cannot be used is told in one sentence, and the settings there are stay."""
    before = settings_of(tmp_path, "")
    said: list[str] = []

    def again() -> Settings:
        raise SettingError("alerts.quiet: expected a duration, got 7")

    reload = Reload(again)
    reload.ask()
    assert reload.taken(before, said.append) is None
    assert said == ["the configuration was not taken: alerts.quiet: expected a duration, got 7."]


def test_sinks_are_exchanged_without_losing_an_alert(
    tmp_path: Path,
    odd_calls: Any,
    fake_sensor: Any,
    screen: Any,
    batch: Any,
    row: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One sink stays, one goes, one comes; every alert is with all that were there at its time."""
    monkeypatch.setattr(session, "explain", type(odd_calls).explain)
    stays, goes, comes = (tmp_path / f"{name}.jsonl" for name in ("stays", "goes", "comes"))
    before = settings_of(tmp_path, sink("a", stays) + sink("b", goes))
    after = sink("a", stays) + sink("c", comes) + '[alerts]\nquiet = "2s"\n'
    reload = Reload(lambda: settings_of(tmp_path, after))
    ticks = [batch(row(at_s=at)) for at in range(1, 60)]
    for at, call in ((5, PTRACE), (45, CONNECT)):
        ticks[at] = batch(row(at_s=at + 1, calls={call: 9}))

    class Asking(fake_sensor):
        def ticks(self) -> Any:
            for i, tick in enumerate(super().ticks()):
                if i == 30:
                    reload.ask()
                yield tick

    metadata = {"host_id": "5d", "boot_id": "0b", "arch": "x86_64"}
    here = session.Here(Asking(ticks), metadata, host_of(metadata), lambda *_: Context())
    session.run(session.Request(before, reload=reload), odd_calls, here, screen)

    def opened(path: Path) -> list[str]:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [line["time"][17:19] for line in lines if line["state"] == "open"]

    assert opened(stays) == ["26", "06"]
    assert opened(goes) == ["26"]
    assert opened(comes) == ["06"]
    assert "taken: sinks, alerts.quiet" in screen.text


@pytest.mark.kernel
def test_a_running_watch_takes_it_up(tmp_path: Path) -> None:
    """SIGHUP neither ends a watch nor costs a window: it says what it took, and watches on."""
    save_bundle(fit(host(90, seed=1)), tmp_path / "m.oddcall")
    config = tmp_path / "oddcall.toml"
    config.write_text('[alerts]\ncooldown = "1m"\n')
    words = [sys.executable, "-m", "oddcall.service.cli", "watch", "--no-web", "--config", config]
    words += ["--model", tmp_path / "m.oddcall", "--state-dir", tmp_path / "state"]
    words += ["--record", tmp_path / "kept", "--interval", "250ms"]
    with subprocess.Popen(
        [str(word) for word in words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "ODDCALL_SENSOR_MAX_CPU_PERCENT": "100"},
    ) as watch:
        assert watch.stdout
        lines = iter(watch.stdout.readline, "")
        assert any("watching with model" in line for line in lines)
        config.write_text('budget = "5/day"\n[alerts]\ncooldown = "5m"\n[sensor]\nmax_age = "9s"\n')
        asked_ns = time.time_ns()
        watch.send_signal(signal.SIGHUP)
        said = next(line for line in lines if "the configuration was read again" in line)
        assert "taken: budget, alerts.cooldown; after a restart: sensor.max_age" in said
        # A tick or several, however busy the machine is: the recording shows that they came.
        time.sleep(1)
        watch.send_signal(signal.SIGTERM)
        watch.stdout.read()
        assert watch.wait(60) == 0
    from oddcall.training.recording import read_batches

    ends = [int(b.t_end_ns.max()) for b in read_batches(tmp_path / "kept") if len(b)]
    starts = [int(b.t_start_ns.min()) for b in read_batches(tmp_path / "kept") if len(b)]
    assert min(starts) < asked_ns < max(ends), "what was counted before is in a window after"
