"""A profile has the runtimes' form, says what it rests on, and a program really runs under it."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models import calls
from oddcall.models.errors import EvidenceError, SettingError
from oddcall.models.model import Model
from oddcall.models.verdict import JUDGED_BY
from oddcall.models.window import CALLS, Program
from oddcall.sensor.sensor import Sensor, SensorSettings
from oddcall.service.advise.evidence import Evidence, NewCall, gather
from oddcall.service.advise.seccomp import ALWAYS, completeness, profile
from oddcall.service.cli import run
from oddcall.service.learning import summary
from oddcall.service.quantities import counted
from oddcall.training import synthetic
from oddcall.training.fit import fit
from oddcall.training.recording import RecordingWriter

#: ``linux.seccomp`` of the runtime specification, its schema/defs-linux.json, as far as used.
FORM = {
    "type": "object",
    "required": ["defaultAction", "architectures", "syscalls"],
    "additionalProperties": False,
    "properties": {
        "defaultAction": {"enum": ["SCMP_ACT_LOG", "SCMP_ACT_ERRNO"]},
        "defaultErrnoRet": {"type": "integer", "minimum": 0, "maximum": 4294967295},
        "architectures": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "string", "pattern": "^SCMP_ARCH_(X86|X86_64|X32|ARM|AARCH64)$"},
        },
        "syscalls": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["names", "action"],
                "additionalProperties": False,
                "properties": {
                    "names": {
                        "type": "array",
                        "minItems": 1,
                        "uniqueItems": True,
                        "items": {"type": "string", "pattern": "^[a-z0-9_]+$"},
                    },
                    "action": {"const": "SCMP_ACT_ALLOW"},
                    "comment": {"type": "string", "minLength": 1},
                },
            },
        },
    },
}
S = 1_000_000_000
T0 = 1_700_000_000 * S


def evidence(**given: Any) -> Evidence:
    return Evidence(
        **{"programs": ["/bin/x"], "calls": {0, 1}, "last_ns": 60 * S, "windows": 80, **given}
    )


@given(
    st.sets(st.integers(0, CALLS - 1), min_size=1),
    st.sets(st.integers(0, CALLS - 1)),
    st.sampled_from(["x86_64", "aarch64"]),
    st.booleans(),
)
def test_every_profile_has_the_runtimes_form(
    native: set[int], compat: set[int], arch: str, enforce: bool
) -> None:
    """Whatever was seen, the profile is valid, and holds every call that has a name."""
    found = profile(evidence(calls=native, compat=compat), arch, enforce=enforce)
    jsonschema.validate(found, FORM)
    allowed = {name for entry in found["syscalls"] for name in entry["names"]}
    assert allowed >= set(ALWAYS)
    known = {calls.name(n, arch) for n in native} | {calls.compat_name(n, arch) for n in compat}
    assert allowed >= {name for name in known if not name.startswith("syscall")}
    assert ("defaultErrnoRet" in found) is enforce


def test_32_bit_calls_are_allowed_only_where_they_were_seen() -> None:
    """Enforced, a 32-bit architecture is listed if its calls were seen; while looking, always."""
    assert profile(evidence(), "x86_64", enforce=True)["architectures"] == ["SCMP_ARCH_X86_64"]
    assert "SCMP_ARCH_X86" in profile(evidence(), "x86_64")["architectures"]
    both = profile(evidence(compat={102}), "x86_64", enforce=True)
    assert "SCMP_ARCH_X86" in both["architectures"]
    assert both["syscalls"][1]["names"] == ["socketcall"]
    with pytest.raises(SettingError, match="expected x86_64 or aarch64; got 'riscv64'"):
        profile(evidence(), "riscv64")


def test_it_says_how_complete_the_evidence_is() -> None:
    """Windows, span, the last new call, and what speaks against it, also in the profile."""
    full = evidence(
        settled=False,
        new_rate=0.25,
        uring={22},
        calls={0, 1, CALLS - 1},
        newest=NewCall(41, compat=False, at_ns=50 * S, end_ns=60 * S),
    )
    said = "; ".join(completeness(full, "x86_64"))
    assert "80 windows over 1m" in said
    assert "the last new call was socket at 1970-01-01T00:00:50.000000Z, 10s before" in said
    assert "NOT settled: 25% of its later windows" in said
    assert "1 call without a known name left out" in said
    assert "io_uring" in said
    assert profile(full, "x86_64")["syscalls"][0]["comment"] == said
    assert "not known (give --recording)" in "; ".join(completeness(evidence(), "x86_64"))


def test_from_a_recording_to_a_file(
    tmp_path: Path, ordinary: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The command takes a program's calls, and only that program's, out of its baseline."""
    metadata = {"host_id": "5d", "host_name": "web1", "boot_id": "0b", "arch": "x86_64"}
    with RecordingWriter(tmp_path / "clean", metadata) as writer:
        for batch in ordinary:
            writer.append(batch)
    model = str(tmp_path / "m.oddcall")
    assert run(["train", str(tmp_path / "clean"), "-o", model]) == 0
    out = tmp_path / "nginx.json"
    words = ["advise", "seccomp", "nginx", "--model", model, "-o", str(out)]
    assert run([*words, "--recording", str(tmp_path / "clean")]) == 0
    said = capsys.readouterr().err
    assert "the last new call was" in said
    assert "it logs every other call" in said
    (entry,) = json.loads(out.read_text())["syscalls"]
    assert "epoll_wait" in entry["names"]
    assert "clone" not in entry["names"]
    assert "/usr/sbin/nginx: 6 calls" in entry["comment"]
    assert run(["advise", "seccomp", "apache", "--model", model]) == 2
    assert "expected one of /usr/sbin/nginx, /bin/dash" in capsys.readouterr().err
    assert run(["advise", "seccomp", "nginx", "--state-dir", str(tmp_path / "none")]) == 6


def test_a_name_of_several_programs_is_refused() -> None:
    """One name, two paths: which is said, and that a glob takes them together."""
    known = [SimpleNamespace(program=Program(f"/{place}/bin/tool", 1, 2)) for place in "ab"]
    with pytest.raises(SettingError, match="2 programs are named tool") as refused:
        gather(SimpleNamespace(programs=known), ["tool"])
    assert "/a/bin/tool, /b/bin/tool" in str(refused.value)
    assert "'*/tool'" in str(refused.value)


def test_who_judges_a_program_is_said_as_train_says_it(trained: Model) -> None:
    """A program without a baseline of its own: by others where they stand in, else by nothing."""
    first, *others = trained.programs
    stood_in_for = replace(first, level="similar", readiness="collecting", windows=1)
    short = fit(synthetic.host(60, seed=11))
    for model, known, level in (
        (replace(trained, programs=(stood_in_for, *others)), stood_in_for, "similar"),
        (short, next(p for p in short.programs if p.level == "similar"), "unknown"),
    ):
        judge = JUDGED_BY[level]
        row = next(line for line in summary.table(model) if line.startswith(known.program.name))
        assert f"  {judge}  " in row
        got = f"got {counted(known.windows, 'window')}; it is judged by {judge}"
        with pytest.raises(EvidenceError, match=got):
            gather(model, [known.program.exe])
    with pytest.raises(EvidenceError, match="has no baseline of its own"):
        gather(short, [p.program.exe for p in short.programs])


def test_of_many_programs_the_most_seen_are_suggested(trained: Model) -> None:
    """A name that is none is answered with some of those known, and how many there are besides."""
    assert len(trained.programs) == 10
    with pytest.raises(SettingError, match=r"one of /\S+, .* and 2 others \(`oddcall programs`\)"):
        gather(trained, ["apache"])


def test_programs_of_a_glob_without_a_baseline_are_named(trained: Model) -> None:
    """A profile of several programs says which of them it holds nothing of."""
    first, *others = trained.programs
    model = replace(trained, programs=(replace(first, level="similar"), *others))
    found = gather(model, ["*"])
    assert found.left_out == [first.program.exe]
    assert first.program.exe not in found.programs
    said = "; ".join(completeness(found, "x86_64"))
    assert f"without {first.program.exe}: no baseline of their own" in said


@pytest.mark.kernel
def test_a_program_runs_under_its_profile_and_another_does_not(tmp_path: Path) -> None:
    """With what was counted of it, find runs enforced; an interpreter is refused its own calls,
    and allowed them while the profile only logs. Every name is one that libseccomp knows."""
    find = ["find", "/etc", "-maxdepth", "1"]
    seen: set[int] = set()
    with Sensor(SensorSettings(interval_s=0.2, loader="core")) as sensor:
        for number, tick in enumerate(sensor.ticks()):
            if number == 1:
                subprocess.run(find, capture_output=True, check=True)
            if number == 3:
                sensor.stop()
            windows = tick.windows
            ours = [i for i, program in enumerate(windows.programs) if program.name == "find"]
            rows = windows.take(np.flatnonzero(np.isin(windows.program, ours)))
            seen |= set(rows.syscalls.ids.tolist())
    assert seen
    under = [sys.executable, str(Path(__file__).with_name("under_profile.py"))]
    path = tmp_path / "profile.json"

    def tried(command: list[str], *, enforce: bool) -> subprocess.CompletedProcess[str]:
        path.write_text(
            json.dumps(profile(evidence(calls=seen), platform.machine(), enforce=enforce))
        )
        words = [*under, str(path), *command]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    enforced = tried(find, enforce=True)
    assert enforced.returncode == 0, enforced.stderr
    assert enforced.stdout.splitlines()[0] == "[]"
    assert "/etc/passwd" in enforced.stdout
    other = [sys.executable, "-c", "import socket; socket.socket(); print('made')"]
    assert "made" not in tried(other, enforce=True).stdout
    assert "made" in tried(other, enforce=False).stdout
