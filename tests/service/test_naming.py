"""Promises about names of programs: no two rows of a table are called the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.naming import told_apart
from oddcall.models.window import Program
from oddcall.service.naming import fitted, shortened

PROGRAMS = st.builds(
    Program,
    exe=st.lists(st.sampled_from(["a", "b", "bin", "py"]), max_size=5).map(
        lambda parts: "".join(f"/{part}" for part in parts)
    ),
    dev=st.sampled_from([2049, 2050]),
    ino=st.integers(0, 2),
    unit=st.sampled_from(["", "web.service"]),
    container=st.sampled_from(["", "docker"]),
)


@pytest.mark.parametrize(
    ("programs", "names"),
    [
        ([Program("/usr/sbin/nginx"), Program("/bin/dash")], ["nginx", "dash"]),
        ([Program("/usr/bin/py"), Program("/opt/bin/py")], ["/usr/…/py", "/opt/…/py"]),
        ([Program("/usr/bin/py"), Program("/opt/own/py")], ["bin/py", "own/py"]),
        (
            [Program("/srv/blue/venv/bin/py"), Program("/srv/green/venv/bin/py")],
            ["blue/…/py", "green/…/py"],
        ),
        ([Program("/bin/sh"), Program("/usr/bin/sh")], ["/bin/sh", "/usr/…/sh"]),
        (
            [Program("/x/bin/py"), Program("/x/venv/bin/py"), Program("/y/venv/bin/py")],
            ["/x/bin/py", "/x/venv/bin/py", "/y/…/py"],
        ),
        (
            [Program("/bin/py", 1, 2, "web.service"), Program("/bin/py", 1, 2)],
            ["py (web.service)", "py"],
        ),
        (
            [Program("/bin/py", 1, 2, "web.service", "docker"), Program("/bin/py", 1, 2)],
            ["py (web.service)", "py"],
        ),
        (
            [
                Program("/bin/py", 1, 2, "a.service", "docker"),
                Program("/bin/py", 1, 2, "a.service"),
            ],
            ["py (docker)", "py"],
        ),
        (
            [
                Program("/bin/py", 1, 2, "a.service", "docker"),
                Program("/bin/py", 1, 2, "a.service"),
                Program("/bin/py", 1, 2, "b.service"),
            ],
            ["py (a.service, docker)", "py (a.service)", "py (b.service)"],
        ),
        (
            [Program("/bin/py", 1, 2, "a.service"), Program("/bin/py", 1, 3, "a.service")],
            ["py (inode 2)", "py (inode 3)"],
        ),
        ([Program("/bin/py", 1, 2), Program("/bin/py", 1, 3)], ["py (inode 2)", "py (inode 3)"]),
        (
            [Program("/bin/py", 2049, 2), Program("/bin/py", 2050, 2)],
            ["py (inode 2) (device 2049)", "py (inode 2) (device 2050)"],
        ),
        ([Program("")], ["unknown program"]),
    ],
)
def test_each_is_as_short_as_it_can_be(programs: list[Program], names: list[str]) -> None:
    """By name, by the folder that tells, by unit or container, and last by the binary."""
    assert shortened(programs, 40) == names


@given(st.sets(PROGRAMS, max_size=12))
def test_no_two_are_alike(programs: set[Program]) -> None:
    """Whatever there is, each has a name of its own."""
    assert len(set(told_apart(programs).values())) == len(programs)


LONG = st.builds(
    Program,
    exe=st.just("/usr/bin/python3.11"),
    dev=st.just(2049),
    ino=st.just(7),
    unit=st.text("ab-", min_size=1, max_size=60).map(lambda name: f"shop-{name}-frontend.service"),
)


@given(LONG, LONG, st.integers(20, 40))
def test_two_are_told_apart_however_narrow_the_table(one: Program, other: Program, width: int):
    """What is cut out of a name that is too wide is never what tells it from the other."""
    shown = shortened([one, other, one], width)
    assert max(map(len, shown)) <= width
    assert shown[0] == shown[2]
    assert (shown[0] == shown[1]) == (one == other)


@given(st.text(max_size=60), st.integers(5, 40))
def test_a_name_fits_and_cannot_act(name: str, width: int) -> None:
    """Of one that is too wide begin and end are left; nothing a terminal would act on is."""
    shown = fitted(name, width)
    assert len(shown) <= width
    assert shown.isprintable()
    assert fitted("0123456789", 7) == "012…789"


def test_what_is_left_out_is_marked_once() -> None:
    """A name shortened by its folders and again by its width has one sign, not two beside."""
    assert fitted("simulate/…/long-demo-server", 20) == "simulate/…mo-server"
