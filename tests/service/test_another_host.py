"""A model used on a host that it was not made on alerts there as at home, and says how."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oddcall.models.bundle import load_bundle
from oddcall.models.window import WindowBatch
from oddcall.service import session
from oddcall.service.alerts.context import Context
from oddcall.service.cli import run
from oddcall.service.config.loading import load
from oddcall.service.origin import host_of
from oddcall.service.session import Here, Request
from oddcall.training.recording import RecordingWriter, read_batches, read_metadata

_ELSEWHERE = "the model was made on made: programs are known by path, unit and kind of"


@pytest.fixture(scope="module")
def bundle(small_lake: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "web1.oddcall"
    assert run(["train", str(small_lake.clean("web1")), "-o", str(path)]) == 0
    return path


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What people said of alerts of this host is no part of a test."""
    monkeypatch.setenv("ODDCALL_STATE_DIR", str(tmp_path / "state"))


def elsewhere(batches: Iterable[WindowBatch], **changes: str) -> list[WindowBatch]:
    """The same windows as another host would have counted them: other inodes, other devices."""
    return [
        replace(
            batch,
            programs=tuple(
                replace(p, dev=2049, ino=p.ino + 70_000, **changes) for p in batch.programs
            ),
        )
        for batch in batches
    ]


def write(folder: Path, batches: list[WindowBatch], like: Path, host_id: str) -> Path:
    with RecordingWriter(folder, {**read_metadata(like), "host_id": host_id}) as writer:
        for batch in batches:
            writer.append(batch)
    return folder


@pytest.fixture
def there(small_lake: Any, tmp_path: Path) -> Path:
    """What web1 did later, as if on another host."""
    later = small_lake.later("web1")
    return write(tmp_path / "there", elsewhere(read_batches(later)), later, "web9")


def told(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert run([*map(str, words)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def alerts_of(path: Path) -> list[Any]:
    """Lines of alerts without what names the host."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{**line, "id": "", "episode_id": "", "host": ""} for line in lines]


def test_replay_gives_the_alerts_of_home(
    small_lake: Any, bundle: Path, there: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every line of every alert is that of the model's own host, and both say what could alert."""
    home = small_lake.later("web1")
    out = {}
    for name, path in (("home", home), ("there", there)):
        words = ("replay", path, "--model", bundle, "--alerts", tmp_path / f"{name}.jsonl")
        out[name] = told(capsys, *words).splitlines()[-1]
    assert out["home"] == out["there"]
    assert "windows could alert" in out["home"]
    assert alerts_of(tmp_path / "home.jsonl") == alerts_of(tmp_path / "there.jsonl") != []


def test_a_replay_of_what_was_learned_says_so(
    small_lake: Any, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That nothing alerts there is no comfort; of a later time there is nothing to say."""
    said = "warning: the model learned from a part of this time, and what it learned cannot"
    again = told(capsys, "replay", small_lake.clean("web1"), "--model", bundle)
    assert said in " ".join(again.split())
    later = told(capsys, "replay", small_lake.later("web1"), "--model", bundle)
    assert said not in " ".join(later.split())


def test_what_if_and_evaluation_know_the_programs_too(
    small_lake: Any, bundle: Path, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What-if counts what it counts at home, and an evaluation finds a baseline for everything."""
    words = ("--model", bundle, "--what-if", "budget=5/day", "--json")
    both = [told(capsys, "replay", p, *words) for p in (small_lake.later("web1"), there)]
    ours, theirs = (json.loads(out)["alternatives"] for out in both)
    assert ours == theirs
    assert ours[1]["alerts"] > 0
    words = ("--model", bundle, "--test", there, "--json")
    windows = json.loads(told(capsys, "evaluate", "recordings", *words))["windows"]
    assert windows["without_baseline"] == 0
    assert windows["clean"] == windows["judged"], "windows that might alert"


def test_a_split_by_host_can_alert(
    small_lake: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever of two hosts is judged, its programs are those that the other taught."""
    clean = small_lake.clean("web2")
    batches = [*read_batches(clean)][:120]
    write(tmp_path / "lake" / "one", batches, clean, "web1")
    write(tmp_path / "lake" / "two", elsewhere(batches), clean, "web2")
    words = ("--test", tmp_path / "lake", "--split", "host", "--json")
    found = json.loads(told(capsys, "evaluate", "recordings", *words))
    windows = found["windows"]
    assert windows["without_baseline"] == 0
    assert windows["clean"] > 0.4 * windows["judged"], "windows that might alert"
    assert len(set(found["models"])) == 2


def test_watch_says_so_and_replay_gives_the_same_bytes(
    small_lake: Any, bundle: Path, fake_sensor: Any, screen: Any, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """An update midway is shadowed in both; a replay of what was kept gives what was told."""
    batches = elsewhere(read_batches(small_lake.later("web1")))
    middle = len(batches) - 30
    batches = [*batches[:middle], *elsewhere(batches[middle:])]
    at_home = tmp_path / "home.jsonl"
    home = small_lake.later("web1")
    told(capsys, "replay", home, "--model", bundle, "--alerts", at_home)
    live, kept, again = (tmp_path / name for name in ("live.jsonl", "kept", "again.jsonl"))
    metadata = {**read_metadata(home), "host_id": "web9"}
    settings = load(
        {"web.enabled": "false", "state_dir": str(tmp_path / "watch")}, environ={}
    ).settings
    here = Here(fake_sensor(batches), metadata, host_of(metadata), lambda *_: Context())
    session.run(Request(settings, live, kept), load_bundle(bundle), here, screen)
    assert _ELSEWHERE in screen.text
    assert "windows could alert" in screen.lines[-1]
    opened = [line for line in alerts_of(live) if line["state"] == "open"]
    wanted = [line for line in alerts_of(at_home) if line["state"] == "open"]
    assert 0 < len(opened) < len(wanted), "those before the update"
    assert opened == wanted[: len(opened)]
    told(capsys, "replay", kept, "--model", bundle, "--alerts", again)
    assert live.read_bytes() == again.read_bytes()
    standings = json.loads((tmp_path / "watch" / "programs.json").read_text())["programs"]
    states = {row["level"] for row in standings if row["exe"] == "/usr/bin/python3.11"}
    assert states == {"program", "predecessor"}


def test_a_model_that_knows_nobody_is_warned_of(
    small_lake: Any, bundle: Path, fake_sensor: Any, screen: Any, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Where none of its programs run, replay, what-if and watch all say that nothing can alert."""
    home = small_lake.clean("web1")
    batches = elsewhere(read_batches(home), container="lxc")
    strange = write(tmp_path / "strange", batches, home, "web9")
    out = told(capsys, "replay", strange, "--model", bundle)
    windows = sum(map(len, batches))
    assert f"0 of {windows:,} windows could alert" in out
    said = "the model, made on made, knows no program that runs here."
    assert said in " ".join(out.split())
    out = told(capsys, "replay", strange, "--model", bundle, "--what-if", "budget=5/day")
    assert "as it is, budget=5/day: none of the windows could alert" in " ".join(out.split())
    settings = load(
        {"web.enabled": "false", "state_dir": str(tmp_path / "watch")}, environ={}
    ).settings
    metadata = {**read_metadata(home), "host_id": "web9"}
    here = Here(fake_sensor(batches), metadata, host_of(metadata), lambda *_: Context())
    session.run(Request(settings), load_bundle(bundle), here, screen)
    assert said in " ".join(screen.text.split())
    assert " ".join(screen.text.split()).count("knows no program that runs here") == 1
    assert max(len(line) for line in screen.text.splitlines() if "warning" in line) <= 80
