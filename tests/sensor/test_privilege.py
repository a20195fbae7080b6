"""Sensing runs with exactly the capabilities it is said to need, and gives up the others."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from oddcall.models.errors import PrivilegeError
from oddcall.sensor import privilege

WORKLOADS = Path(__file__).parent / "workloads"
#: Any user will do, as long as it is not root and not the owner of what runs here.
NOBODY = 65534


def as_nobody(*capabilities: str, places: str = "", loader: str = "core") -> dict[str, object]:
    """Sense for a moment as another user with these capabilities only; what it reports."""
    if loader == "bcc" and "root" not in capabilities:
        # It compiles in a child: Python may lie below a folder that is closed to that user.
        capabilities = (*capabilities, "CAP_DAC_READ_SEARCH")
    command = [sys.executable, str(WORKLOADS / "unprivileged.py"), str(NOBODY), loader, places]
    done = subprocess.run(
        [*command, *capabilities], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.kernel
def test_two_capabilities_count_and_a_third_tells_whose_the_counts_are(loader: str):
    """CAP_BPF and CAP_PERFMON load, attach and count; with CAP_SYS_PTRACE the executable of a
    process of another user is known, without it is not."""
    blind = as_nobody("CAP_BPF", "CAP_PERFMON", loader=loader)
    assert blind["calls"] > 0
    assert not blind["complete"]
    seeing = as_nobody("CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", loader=loader)
    assert seeing["calls"] > 0
    assert seeing["complete"]
    # It read all that after it had given up what loading takes.
    kept = " ".join(
        sorted({"CAP_SYS_PTRACE"} | ({"CAP_DAC_READ_SEARCH"} if loader == "bcc" else set()))
    )
    assert seeing["held"] == [kept] * seeing["threads"]
    assert seeing["no_new_privs"] == 1
    assert seeing["said"].startswith("privileges: gave up 2 capabilities, keeps CAP_")


@pytest.mark.kernel
def test_root_keeps_what_reading_needs_and_cannot_get_the_rest_back(tmp_path: Path):
    """Of root's capabilities two are left, in the bounding set as well."""
    found = as_nobody("root", places=str(tmp_path / "new"))
    kept = ["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"]
    assert found["held"] == [" ".join(kept)] * found["threads"]
    assert found["bounding"] == kept
    assert found["calls"] > 0
    assert "no program it starts can get any" in found["said"]


@pytest.mark.kernel
def test_root_may_still_write_where_another_user_owns_the_folder(tmp_path: Path):
    """CAP_DAC_OVERRIDE stays where, and only where, it is needed to write."""
    tmp_path.chmod(0o755)
    (tmp_path / "theirs").mkdir(mode=0o755)
    subprocess.run(["chown", str(NOBODY), str(tmp_path / "theirs")], check=True)
    found = as_nobody("root", places=str(tmp_path / "theirs" / "new" / "alerts.jsonl"))
    assert "CAP_DAC_OVERRIDE" in found["held"][0].split()


@pytest.mark.kernel
def test_who_may_not_load_is_told_exactly_what_is_missing():
    """The error of a process with some capabilities names the one it lacks."""
    found = as_nobody("CAP_PERFMON", "CAP_SYS_PTRACE")
    assert re.search(r"got user id 65534 without (.*)\. Run", found["error"])[1] == "CAP_BPF"


def test_administration_stands_for_loading(monkeypatch: pytest.MonkeyPatch):
    """CAP_SYS_ADMIN allows what CAP_BPF and CAP_PERFMON do, and nothing else asked for here."""
    have = frozenset({"CAP_SYS_ADMIN"})
    assert privilege.missing([*privilege.LOADING, "CAP_SYS_PTRACE"], have) == ["CAP_SYS_PTRACE"]
    for have, lacking in (((), "CAP_BPF and CAP_PERFMON"), (("CAP_BPF",), "CAP_PERFMON")):
        monkeypatch.setattr(privilege, "held", lambda given=have: frozenset(given))
        with pytest.raises(PrivilegeError, match=f"without {lacking}. Run"):
            privilege.require_privilege()


def test_sets_are_read_by_name(tmp_path: Path):
    """The bits of a thread's status are named as capabilities(7) names them."""
    status = tmp_path / "status"
    status.write_text("Name:\tx\nCapPrm:\t0000000000080004\nCapEff:\t000000c000000000\n")
    assert privilege.held("CapEff", status) == {"CAP_BPF", "CAP_PERFMON"}
    assert privilege.held("CapPrm", status) == {"CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"}
    assert privilege.held("CapBnd", status) == frozenset()
