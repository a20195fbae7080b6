"""A support bundle tells how things stand, and no secret and no command line with it."""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

from oddcall.sensor import checks
from oddcall.sensor.check import Check
from oddcall.service import support
from oddcall.service.cli import run
from oddcall.service.history import History
from oddcall.service.support import CONTENTS

SECRETS = ("s3cr3t-path", "s3cr3t-token", "s3cr3t-password", "s3cr3t-argument")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings with a secret in every place that one can be in."""
    file = tmp_path / "oddcall.toml"
    file.write_text(
        f'state_dir = "{tmp_path / "state"}"\n[web]\ntoken = "{SECRETS[1]}-of-more-than-enough"\n'
        '[[sinks]]\ntype = "slack"\n'
        f'url = "http://127.0.0.1:1/services/{SECRETS[0]}"\n'
        f'[[sinks]]\ntype = "webhook"\nurl = "http://me:{SECRETS[2]}@127.0.0.1:1/in?k={SECRETS[0]}"\n'
        f'headers.Authorization = "Bearer {SECRETS[1]}"\n'
        f'[[sinks]]\ntype = "nats"\nurl = "nats://me:{SECRETS[2]}@127.0.0.1:1"\n'
        f'token = "{SECRETS[1]}"\n'
    )
    return file


def packed(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(checks, "checks", lambda: [Check("program", True, "counts")])
    out = tmp_path / "support.tar.gz"
    assert run(["support-bundle", "-o", str(out), "--config", str(config)]) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    with tarfile.open(fileobj=io.BytesIO(out.read_bytes())) as archive:
        members = archive.getmembers()
        texts = {m.name: archive.extractfile(m).read().decode() for m in members}
    return {name.removeprefix("oddcall-support/"): text for name, text in texts.items()}


def alert(number: int) -> Any:
    return {
        "id": f"{number:08x}-0000-5000-8000-000000000000",
        "episode_id": f"{number:08x}-0000-5000-8000-000000000000",
        "state": "open",
        "time": "2026-11-01T10:00:00.000000Z",
        "severity": "high",
        "program": {"exe": "/usr/sbin/nginx", "comm": "nginx"},
        "process": {"cmdline": f"nginx --password {SECRETS[3]}"},
    }


def test_nothing_secret_is_in_it(
    tmp_path: Path,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With secrets in every setting that takes one and arguments in the history of alerts, and
    sinks that fail, the bundle holds none of them, and all that it promises."""
    history = History(tmp_path / "state" / "history.sqlite")
    for number in range(3):
        history.add(alert(number))
    history.close()
    texts = packed(tmp_path, config, monkeypatch)
    assert set(texts) == {"README.txt", *CONTENTS}
    for name, text in texts.items():
        assert not [secret for secret in SECRETS if secret in text], name
    assert "(hidden)" in texts["settings.toml"]
    assert json.loads(texts["alerts.json"])["latest"] == {"high": 3}
    assert "history.sqlite" in texts["state.txt"]
    found = {check["name"]: check for check in json.loads(texts["doctor.json"])["checks"]}
    assert not found["sink slack"]["ok"]
    assert "numpy" in json.loads(texts["versions.json"])["packages"]
    said = capsys.readouterr().out
    assert all(name in said for name in CONTENTS)


def test_no_file_is_lost_to_it(
    tmp_path: Path,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file of that name is left as it is, and named before this host is looked at."""
    monkeypatch.setattr(checks, "checks", lambda: pytest.fail("the host was looked at"))
    out = tmp_path / "support.tar.gz"
    out.write_text("my thesis")
    assert run(["support-bundle", "-o", str(out), "--config", str(config)]) == 2
    assert f"{out} is there already" in " ".join(capsys.readouterr().err.split())
    assert out.read_text() == "my thesis"


def test_settings_that_cannot_be_used_are_not_quoted(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error may quote what it could not take, which may be a secret: the bundle does not."""
    config.write_text(f'budget = "{SECRETS[1]}"\n')
    texts = packed(tmp_path, config, monkeypatch)
    assert not [name for name, text in texts.items() if SECRETS[1] in text]
    assert "oddcall config check" in texts["settings.toml"]
    found = {check["name"]: check for check in json.loads(texts["doctor.json"])["checks"]}
    assert found["settings"]["ok"] is False


def test_of_a_log_only_what_oddcall_says_of_itself_is_kept() -> None:
    """Alerts as text go on in indented lines, as JSON they begin with a brace; keys are hidden."""
    lines = [
        "watching with model 1234: 3 programs",
        "04:04:10  HIGH  nginx",
        f"             nginx --password {SECRETS[3]}",
        "",
        json.dumps(alert(1)),
        "lost since the last tick: 3 full map",
        f"the page is on http://127.0.0.1:6332/#key={SECRETS[1]}",
    ]
    page = "the page is on http://127.0.0.1:6332/#key=(hidden)"
    assert support.own_lines(lines) == [lines[0], lines[1], lines[5], page]


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to become less")
def test_what_may_not_be_read_is_not_taken_for_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alerts that nobody looked at are null with the reason, which is on the screen as well."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        config = place / "oddcall.toml"
        config.write_text(f'state_dir = "{place / "state"}"\n')
        # As root first: it has every module imported that nobody may not.
        texts = packed(place, config, monkeypatch)
        assert json.loads(texts["alerts.json"]) == {"per_day": {}, "latest": {}}
        assert "not read: " not in capsys.readouterr().out
        (place / "support.tar.gz").unlink()
        (place / "state").mkdir(mode=0o700)
        History(place / "state" / "history.sqlite").close()
        place.chmod(0o777)
        os.seteuid(65534)
        try:
            texts = packed(place, config, monkeypatch)
        finally:
            os.seteuid(0)
    alerts = json.loads(texts["alerts.json"])
    assert (alerts["per_day"], alerts["latest"]) == (None, None)
    assert "may not be read by this user" in alerts["why"]
    said = " ".join(capsys.readouterr().out.split())
    for name in ("alerts.json", "state.txt", "metrics.txt"):
        assert f"not read: {name}: {place / 'state'}" in said
