"""Hints: said when the counts support them, and not said of what a program always does."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models import calls
from oddcall.models.explanation.hints import hints
from oddcall.models.explanation.observation import Call
from oddcall.models.explanation.techniques import RULES


def call(
    name: str,
    count: int,
    failed: int = 0,
    *,
    novel: bool = True,
    usual: float = 0.0,
    mark: str = "",
) -> Call:
    """A call in a window of a thousand, novel or with this usual share (and failing share)."""
    usual = 0.0 if novel else usual
    return Call(
        name=mark + name,
        plain=name,
        count=count,
        failed=failed,
        share=count / 1000,
        failed_share=failed / 1000,
        typical=(0.0, usual / 2, usual),
        failed_typical=(0.0, usual / 2, usual),
        novel=novel,
        novel_failure=novel and failed > 0,
        contribution=0.1,
    )


def techniques(*made: Call) -> list[str]:
    """Identifiers of the hints."""
    return [hint.technique for hint in hints(made)]


@pytest.mark.parametrize(
    ("made", "technique"),
    [
        ([call("ptrace", 2)], "T1055.008"),
        ([call("ptrace", 2, mark="32-bit ")], "T1055.008"),
        ([call("memfd_create", 1), call("execve", 1, novel=False, usual=0.9)], "T1620"),
        ([call("execveat", 1)], "T1620"),
        ([call("unshare", 1, 1)], "T1611"),
        ([call("open_by_handle_at", 200, 199)], "T1611"),
        ([call("mount", 1)], "T1611"),
        ([call("pidfd_getfd", 1)], "T1055"),
        ([call("process_vm_writev", 3)], "T1055"),
        ([call("userfaultfd", 1)], "T1068"),
        ([call("bpf", 9, 9)], "T1014"),
        ([call("request_key", 2)], "T1555"),
        ([call("kill", 12)], "T1489"),
        ([call("finit_module", 1)], "T1547.006"),
        ([call("setresuid", 1)], "T1548.001"),
        ([call("unlink", 15), call("unlinkat", 5)], "T1485"),
        ([call("unlink", 21, 1)], "T1485"),
        ([call("renameat2", 10), call("write", 50, novel=False, usual=0.5)], "T1486"),
        ([call("connect", 30, 20)], "T1046"),
        ([call("connect", 300, 290, novel=False, usual=0.01)], "T1046"),
        ([call("connect", 300)], "T1046"),
        ([call("dup2", 3), call("execve", 1)], "T1059.004"),
        ([call("dup3", 3, novel=False, usual=0.1), call("execve", 1)], "T1059.004"),
        ([call("openat", 500, 60, novel=False, usual=0.01)], "T1083"),
        ([call("openat", 200), call("read", 50, novel=False, usual=0.3)], "T1005"),
        ([call("openat2", 30), call("open", 30), call("pread64", 60)], "T1005"),
        ([call("socket", 1), call("sendto", 400, novel=False, usual=0.03)], "T1048"),
        ([call("connect", 1), call("splice", 800)], "T1048"),
        ([call("uname", 10), call("sysinfo", 10)], "T1082"),
        ([call("msgsnd", 50)], "T1068"),
        ([call("capset", 1)], "T1548"),
        ([call("chmod", 15), call("fchownat", 5)], "T1222.002"),
        ([call("truncate", 20)], "T1070"),
        ([call("mprotect", 200, novel=False, usual=0.002)], "T1027.002"),
        ([call("clone3", 50)], "T1499"),
        ([call("utimensat", 10)], "T1070.006"),
        ([call("read", 1, mark="32-bit ")], "T1106"),
        ([call("read", 1, mark="io_uring ")], "T1106"),
        ([call("sched_yield", 100)], "T1496"),
    ],
)
def test_supported(made: list[Call], technique: str) -> None:
    """Each technique is hinted at by the calls that others' rules name for it, with the counts."""
    assert technique in techniques(*made)
    hint = next(hint for hint in hints(made) if hint.technique == technique)
    assert hint.why.startswith("Consistent with ")
    assert set(hint.calls) <= {one.name for one in made}
    assert all(f"{one.count:,} {one.name}" in hint.why for one in made)


@pytest.mark.parametrize(
    "made",
    [
        [call("ptrace", 900, novel=False, usual=0.9)],
        [call("memfd_create", 1)],
        [call("execve", 1), call("memfd_create", 5, novel=False, usual=0.005)],
        [call("unlink", 19)],
        [call("unlink", 30, 11)],
        [call("kill", 9)],
        [call("kill", 12, 3)],
        [call("bpf", 9, novel=False, usual=0.01)],
        [call("renameat2", 40)],
        [call("renameat2", 40, 31), call("write", 50)],
        [call("renameat2", 40), call("write", 50, 41)],
        [call("connect", 40, 9)],
        [call("connect", 40, 40, novel=False, usual=0.04)],
        [call("connect", 99)],
        [call("connect", 300, novel=False, usual=0.2)],
        [call("connect", 300), call("sendto", 200), call("recvfrom", 100)],
        [call("dup2", 3)],
        [call("dup2", 3, novel=False, usual=0.1), call("execve", 1, novel=False, usual=0.1)],
        [call("openat", 49, 49)],
        [call("openat", 90, 45), call("read", 50)],
        [call("openat", 200), call("read", 49)],
        [call("openat", 200, novel=False, usual=0.15), call("read", 200)],
        [call("openat", 900), call("read", 900), call("futex", 90_000, novel=False, usual=0.9)],
        [call("socket", 1), call("sendto", 99)],
        [call("sendto", 400)],
        [call("socket", 1), call("sendto", 400), call("read", 400, novel=False, usual=0.4)],
        [call("socket", 1), call("sendto", 400), call("recvfrom", 399)],
        [call("socket", 1, novel=False, usual=0.5), call("sendto", 400)],
        [call("uname", 19)],
        [call("msgsnd", 50, 1)],
        [call("chmod", 19)],
        [call("truncate", 20, 1)],
        [call("mprotect", 99)],
        [call("mprotect", 100), call("futex", 1000, novel=False, usual=0.99)],
        [call("clone3", 49)],
        [call("clone3", 90, novel=False, usual=0.08)],
        [call("utimensat", 9)],
        [call("utimensat", 40, novel=False, usual=0.03)],
        [call("setuid", 3, novel=False, usual=0.0)],
        [call("socket", 400)],
        [call("ptrace", 0)],
        [call("read", 500, novel=False, usual=0.5, mark="io_uring ")],
    ],
)
def test_unsupported(made: list[Call]) -> None:
    """Too few, only half of what is needed, beside much else, or usual for the program: no hint."""
    assert techniques(*made) == []


@pytest.mark.parametrize(
    ("made", "likeness"),
    [
        ([call("socket", 1), call("connect", 1), call("sendto", 150)], "send logs or metrics"),
        ([call("connect", 120)], "a check whether servers still listen"),
    ],
)
def test_honest_work_that_looks_the_same_is_named(made: list[Call], likeness: str) -> None:
    """Who begins to log by syslog, or checks that ports answer, is not accused alone."""
    (hint,) = hints(made)
    assert likeness in hint.why


def test_the_table() -> None:
    """Every rule names a technique once, and only calls that the kernel has."""
    assert len({(rule.technique, rule.reason) for rule in RULES}) == len(RULES)
    known = {name for arch in ("x86_64", "aarch64") for name in calls.names(arch)}
    for rule in RULES:
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", rule.technique)
        assert {name for need in rule.needs for name in need.calls} <= known


def test_what_is_told_already_is_not_told_otherwise() -> None:
    """Files that are rewritten and renamed are read as well: that is no collecting of data."""
    made = [call("openat", 200), call("read", 200), call("write", 200)]
    assert techniques(*made) == ["T1005"]
    assert techniques(*made, call("rename", 200)) == ["T1486"]


def test_each_technique_once() -> None:
    """Two rules for one technique give one hint: the one with more behind it."""
    made = [call("memfd_create", 1), call("execveat", 1)]
    assert [hint.calls for hint in hints(made)] == [("memfd_create", "execveat")]


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("program", "2 ptrace, never made before; "),
        ("predecessor", "2 ptrace, never made before; "),
        ("similar", "2 ptrace, never made by programs like it; "),
    ],
)
def test_what_is_new_says_to_whom(level: str, said: str) -> None:
    """Only of a program that has a baseline of its own is it known what it did before."""
    (hint,) = hints([call("ptrace", 2)], level)
    assert said in hint.why


@given(
    st.lists(
        st.builds(
            call,
            st.sampled_from(sorted({n for r in RULES for need in r.needs for n in need.calls})),
            st.integers(0, 10**6),
            novel=st.booleans(),
            usual=st.floats(0, 1),
        ),
        max_size=12,
    )
)
def test_more_of_a_new_call_never_takes_a_hint_away(made: list[Call]) -> None:
    """Adding an unseen ptrace only adds the hint at it, but where a part of all calls is asked."""
    more = techniques(*made, call("ptrace", 3))
    by_part = {rule.technique for rule in RULES if any(need.part for need in rule.needs)}
    assert (set(techniques(*made)) | {"T1055.008"}) - by_part == set(more) - by_part
