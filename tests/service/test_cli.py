"""Promises about the command line: exit codes, sentences, and that it starts fast."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from oddcall.models.errors import KernelError, OddcallError, PrivilegeError
from oddcall.sensor.check import Check
from oddcall.service import failure
from oddcall.service.cli import VERBS, cli, run
from oddcall.training.recording import RecordingWriter

from .conftest import METADATA


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing a test does touches the host's state directory."""
    monkeypatch.setenv("ODDCALL_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a recording ``clean`` and a bundle ``host.oddcall`` trained on it."""
    return tmp_path_factory.mktemp("trained")


@pytest.fixture
def bundle(trained: Path, ordinary: list[Any], capsys: pytest.CaptureFixture[str]) -> Path:
    path = trained / "host.oddcall"
    if not path.exists():
        with RecordingWriter(trained / "clean", METADATA) as writer:
            for batch in ordinary:
                writer.append(batch)
        assert run(["train", str(trained / "clean"), "-o", str(path), "--budget", "5/week"]) == 0
        out = capsys.readouterr().out
        assert "nginx" in out
        assert "budget 5/week" in out
        assert f"saved {path} (model " in out
    return path


def test_help_imports_nothing_heavy() -> None:
    """`oddcall --help` lists every verb and starts without numpy, pydantic or rich."""
    code = (
        "import sys; from oddcall.service.cli import run; run(['--help']);"
        "print(sorted({m.split('.')[0] for m in sys.modules}"
        " & {'numpy', 'scipy', 'pydantic', 'rich', 'pyarrow', 'pandas', 'sklearn', 'river'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f"  {verb} " in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb says what it does, and shows how, within 80 columns."""
    assert run([verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Examples:" in out
    assert f"oddcall {verb}" in out
    assert max(map(len, out.splitlines())) <= 80


def test_every_command_below_a_verb_has_examples_of_its_own() -> None:
    """Subcommands too, each with itself in them, and no line past 80 columns."""

    def walk(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
        context = click.Context(command, info_name=path, terminal_width=80, max_content_width=80)
        yield path, command.get_help(context)
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below
                yield from walk(below, f"{path} {name}")

    found = dict(walk(cli, "oddcall"))
    assert len(found) > len(VERBS) + 10
    lacking = [path for path, text in found.items() if f"{path}" not in text.split("Examples:")[-1]]
    assert not [path for path in found if "Examples:" not in found[path]]
    assert not lacking
    wide = {path for path, text in found.items() if max(map(len, text.splitlines())) > 80}
    assert not wide


def test_the_work_of_a_trial_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """The help of `evaluate live` names every workload that it takes, and what each does."""
    from oddcall.service.trial.catalogue import WORKLOADS

    assert run(["evaluate", "live", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split("Workloads:")[1].split())
    assert all(f"{work.name} {work.summary}" in told for work in WORKLOADS)


def test_watching_does_not_import_what_training_needs() -> None:
    """The agent's verbs leave sklearn, river and pandas out of memory."""
    code = (
        "import sys; from oddcall.service.cli import run;"
        "[run([verb, '--help']) for verb in ('doctor', 'record', 'watch', 'replay')];"
        "import oddcall.service.session, oddcall.service.live, oddcall.service.replay.replay;"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'pandas', 'sklearn', 'river'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is that of the installed package."""
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("oddcall 0.")


BAD = [
    (["nonsense"], 2, "No such command 'nonsense'"),
    (["wacth"], 2, "Did you mean 'watch'?"),
    (["record"], 2, "Missing option '-o'"),
    (["record", "-o", "{tmp}/r", "--duration", "ten"], 2, "got 'ten'"),
    (["record", "-o", "{tmp}/r", "--interval", "5"], 2, "sensor.interval (--interval)"),
    (["watch", "--learn", "never"], 2, "learning.duration (--learn)"),
    (["watch", "--model", "m", "--relearn"], 2, "exclude each other"),
    (["watch", "--config", "{tmp}/none.toml"], 2, "no such file"),
    (["watch", "--state-dir", "{tmp}/file/state"], 7, "cannot write"),
    (["watch", "--model", "{tmp}/none.oddcall"], 6, "none.oddcall"),
    (["watch", "--model", "{tmp}/file"], 6, "file"),
    (["train", "{tmp}/none", "-o", "{tmp}/m"], 5, "no such file"),
    (["train", "{tmp}/empty", "-o", "{tmp}/m"], 5, "is not a recording; expected"),
    (["train", "{tmp}/foreign", "-o", "{tmp}/m"], 5, "foreign"),
    (["train", "{tmp}/foreign", "-o", "{tmp}/m", "--budget", "0/day"], 2, "budget (--budget)"),
    (["train", "{tmp}/foreign", "-o", "{tmp}/none/m"], 7, "the folder does not exist"),
    (["train", "{tmp}/foreign", "-o", "/dev/null"], 7, "not a file"),
    (["replay", "{tmp}/foreign", "--model", "{tmp}/file"], 6, "file"),
    (["simulate", "run", "port-scam"], 2, "got port-scam. Did you mean port-scan?"),
    (["programs", "--most", "-1"], 2, "-1 is not in the range"),
    (["feedback", "list", "--most", "0"], 2, "0 is not in the range"),
    (
        ["simulate", "run", "port-scan", "--workdir", "{tmp}/w", "--via", "http://127.0.0.1:abc"],
        2,
        "cannot be run there; expected http://127.0.0.1:PORT",
    ),
    (
        ["simulate", "run", "port-scan", "--workdir", "{tmp}/w", "--via", "http://["],
        2,
        "got http://[",
    ),
    (
        ["simulate", "load", "http://127.0.0.1:99999"],
        2,
        "expected http://HOST:PORT; got http://127",
    ),
    (["simulate", "load", "http://["], 2, "expected http://HOST:PORT"),
    (["simulate", "load", "http://a..b"], 2, "expected http://HOST:PORT"),
    (["config", "check", "--config", "{tmp}/file"], 2, "is not TOML"),
]


@pytest.mark.parametrize(("words", "code", "said"), BAD, ids=[" ".join(b[0]) for b in BAD])
def test_bad_input_is_one_sentence_and_a_code(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    said: str,
) -> None:
    """Whatever is wrong is told on standard error, with the documented code, no traceback."""
    (tmp_path / "file").write_text("not what is expected")
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "part-000000.parquet").write_bytes(b"PAR1 or something like it")
    assert run([word.format(tmp=tmp_path) for word in words]) == code
    out, err = capsys.readouterr()
    assert said in err
    assert "Traceback" not in out + err
    assert out == ""


def test_a_bundle_that_was_changed_is_refused(
    tmp_path: Path, bundle: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One byte changed of what a bundle holds, and nothing is judged by it."""
    content = bytearray(bundle.read_bytes())
    # Between the members are dates and the like, of which nothing depends.
    with zipfile.ZipFile(bundle) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.compress_size)
    content[largest.header_offset + largest.compress_size // 2] ^= 1
    changed = tmp_path / "changed.oddcall"
    changed.write_bytes(content)
    assert run(["replay", str(trained / "clean"), "--model", str(changed)]) == 6
    assert "changed.oddcall" in capsys.readouterr().err


def test_a_recording_that_was_cut_is_told_and_the_rest_can_be_used(
    tmp_path: Path, bundle: Path, ordinary: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged part is named; moved away, the rest is judged."""
    recording = tmp_path / "r"
    with RecordingWriter(recording, METADATA, rows_per_part=40) as writer:
        for batch in ordinary[:60]:
            writer.append(batch)
    part = recording / "part-000001.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    assert run(["replay", str(recording), "--model", str(bundle)]) == 5
    assert "part-000001.parquet" in capsys.readouterr().err
    part.unlink()
    assert run(["replay", str(recording), "--model", str(bundle), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["windows"] == 80


def test_too_little_to_train_on_has_its_code(
    tmp_path: Path, ordinary: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A recording of a moment is refused with code 8, and no bundle appears."""
    with RecordingWriter(tmp_path / "r", METADATA) as writer:
        writer.append(ordinary[0])
    assert run(["train", str(tmp_path / "r"), "-o", str(tmp_path / "m.oddcall")]) == 8
    assert "expected at least 40 windows" in capsys.readouterr().err
    assert not (tmp_path / "m.oddcall").exists()


def test_recordings_of_different_numbers_are_not_mixed(
    tmp_path: Path, ordinary: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Call numbers of two architectures do not make one baseline."""
    for name, arch in (("a", "x86_64"), ("b", "aarch64")):
        with RecordingWriter(tmp_path / name, {**METADATA, "arch": arch}) as writer:
            writer.append(ordinary[0])
    words = ["train", str(tmp_path / "a"), str(tmp_path / "b"), "-o", str(tmp_path / "m")]
    assert run(words) == 5
    assert "expected arch x86_64; got aarch64" in capsys.readouterr().err


def test_train_tells_a_machine(
    tmp_path: Path, bundle: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json standard output is one object."""
    path = tmp_path / "m.oddcall"
    assert run(["train", str(trained / "clean"), "-o", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["budget_per_day"] == 1
    assert {p["exe"] for p in told["programs"]} == {"/usr/sbin/nginx", "/bin/dash"}
    assert told["expected_alerts_per_day"] <= 1


class Refused:
    """Stands for a sensor that may not begin."""

    error: OddcallError

    def __init__(self, *_: Any) -> None:
        pass

    def stop(self) -> None:
        pass

    def __enter__(self) -> Any:
        raise self.error

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PrivilegeError("not allowed to load programs", fix="Run it with sudo."), 3),
        (KernelError("the kernel has no BTF", fix="oddcall doctor says more."), 4),
    ],
)
@pytest.mark.parametrize("verb", ["record", "watch"])
def test_what_the_kernel_refuses_is_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: OddcallError,
    code: int,
    verb: str,
) -> None:
    """Missing privilege is code 3, a missing feature 4, each with what to do."""
    from oddcall.service import live

    monkeypatch.setattr(Refused, "error", error, raising=False)
    monkeypatch.setattr(live, "open_sensor", Refused)
    assert run([verb, *(["-o", str(tmp_path / "r")] if verb == "record" else [])]) == code
    assert capsys.readouterr().err == f"oddcall: {error}\n"


def test_a_mistake_of_ours_is_a_sentence_and_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception nobody foresaw is one line; the traceback is in a file that it names."""
    from oddcall.service.commands import config

    def broken(**_: Any) -> None:
        raise KeyError("surprise\nand more")

    monkeypatch.setattr(config, "load", broken)
    assert run(["config", "check"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "a mistake of its own (KeyError" in err
    (report,) = (tmp_path / "state" / "reports").iterdir()
    assert str(report) in err
    assert "Traceback" in report.read_text()


@pytest.mark.parametrize(
    "broken", ["service.learning.states.told_of", "service.commands.options.load"]
)
def test_a_report_lies_in_the_state_directory_that_was_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """With --state-dir the traceback goes there, also of a mistake in reading the settings."""

    def raises(*_: Any, **__: Any) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(f"oddcall.{broken}", raises)
    monkeypatch.setattr(failure, "default_state_dir", lambda: tmp_path / "default")
    assert run(["programs", "--state-dir", str(tmp_path / "named")]) == 1
    (report,) = (tmp_path / "named" / "reports").iterdir()
    assert str(report) in capsys.readouterr().err
    assert not (tmp_path / "default").exists()
    assert not (tmp_path / "state").exists()


def test_a_full_disk_anywhere_is_told_as_such(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSPC met by any line is an error of the disk, not of ours."""
    from oddcall.service.commands import config

    def full(**_: Any) -> None:
        raise OSError(28, "No space left on device", "/var/x")

    monkeypatch.setattr(config, "load", full)
    assert run(["config", "check"]) == 7
    assert "cannot write /var/x; got no space is left" in capsys.readouterr().err


def test_ctrl_c_is_heard_from_the_first_moment() -> None:
    """While the program is still being read it ends as later on: one line, and code 0."""
    code = """
import sys
from oddcall.service.start import main

class Interrupting:
    def find_spec(self, name, *_):
        if name == "oddcall.service.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "oddcall: stopped\n")


@pytest.mark.parametrize(("stream", "code"), [("stdout", 7), ("stderr", 2)])
def test_what_nobody_can_be_told_ends_with_its_code(stream: str, code: int) -> None:
    """Where even the sentence meets a full disk the exit code is the documented one."""
    words = [sys.executable, "-m", "oddcall.service.cli", "--help" if code == 7 else "no-verb"]
    with Path("/dev/full").open("w") as full:
        streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        own = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
        done = subprocess.run(words, check=False, env=own, **{**streams, stream: full})
    assert done.returncode == code


@pytest.mark.parametrize(("set_to", "threads"), [(None, "1"), ("3", "3")])
def test_arithmetic_has_one_thread(
    set_to: str | None, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every verb computes in one thread, unless more are asked for: none waits for another."""
    name = "OPENBLAS_NUM_THREADS"
    for verb in VERBS:
        with monkeypatch.context() as within:
            within.delenv(name)
            if set_to:
                within.setenv(name, set_to)
            assert cli.get_command(click.Context(cli), verb)
            assert os.environ[name] == threads, verb


def test_a_reader_that_leaves_is_no_error() -> None:
    """`oddcall ... | head -1` ends quietly."""
    code = "import sys; from oddcall.service.cli import run; sys.exit(run(['config', 'schema']))"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_doctor_speaks_to_people_and_machines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, bundle: Path
) -> None:
    """Everything well is 0; anything amiss is 4, with what to type below it."""
    from oddcall.sensor import checks

    monkeypatch.setattr(checks, "checks", lambda: [Check("program", True, "loads")])
    assert run(["doctor", "--json", "--model", str(bundle)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert all(set(check) == {"name", "ok", "detail", "fix"} for check in told["checks"])
    names = [check["name"] for check in told["checks"]]
    assert names == ["python", "packages", "program", "settings", "state", "disk", "model"]

    monkeypatch.setattr(checks, "checks", lambda: [Check("program", False, "no", "Type: it " * 30)])
    monkeypatch.setenv("ODDCALL_BUDGET", "lots")
    assert run(["doctor", "--model", str(bundle.parent / "none")]) == 4
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    failed = [line.split()[1] for line in out.splitlines() if line.startswith("FAIL")]
    assert failed == ["program", "settings", "model"]
    assert "will run:\n  - nothing as things are\n" in out
    assert out.count("Type: it") > 30  # below the check, and once more among what to type
    assert "-> Type: it" in out


def test_simulate_lists_for_a_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """At least the six behaviours that are promised are there."""
    assert run(["simulate", "list", "--json"]) == 0
    names = {behaviour["name"] for behaviour in json.loads(capsys.readouterr().out)}
    promised = {"shell-on-socket", "port-scan", "bulk-rewrite", "ptrace-child", "memfd-exec"}
    assert promised | {"failing-opens"} <= names


def test_what_a_short_lesson_may_miss_is_listed_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    """The list says of each behaviour whether it is faint, to people and machines alike."""
    assert run(["simulate", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    faint = {behaviour["name"] for behaviour in told if behaviour["faint"]}
    assert faint == {"log-cut", "packet-socket", "unpack"}
    assert run(["simulate", "list"]) == 0
    out = capsys.readouterr().out
    flowing = " ".join(out.split())
    said = {b["name"] for b in told if f"{b['summary']} Faint after a short lesson." in flowing}
    assert said == faint
    assert max(map(len, out.splitlines())) <= 80
