"""Promises of ground truth: whose windows an attack is, by process, family, program and time."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.models.window import Program
from oddcall.training.ground_truth import AFTERMATH, CLEAN, Spans, attack_of, ground_truth
from oddcall.training.labels import Label, read_labels
from oddcall.training.lake import lake
from oddcall.training.recording import read_batches

S = 1_000_000_000
NGINX, SHELL = Program("/usr/sbin/nginx", 1, 1), Program("/bin/sh", 1, 2)


def spans(*rows: tuple[float, float, int, int, int]) -> Spans:
    """Windows as (start, end, pid, ppid, program)."""
    start, end, pid, ppid, program = (np.array(column) for column in zip(*rows, strict=True))
    ns = [(column * S).astype(np.int64) for column in (start, end)]
    return Spans(*ns, pid, ppid, program, (NGINX, SHELL))


def label(start: float, end: float, **more: object) -> Label:
    return Label("x", int(start * S), int(end * S), **more)


FAMILY = spans(
    (9, 10, 100, 1, 0),
    (10, 11, 100, 1, 0),
    (10.2, 10.4, 102, 101, 1),  # the grandchild's window closes before its parent's
    (10, 11, 101, 100, 1),
    (10, 11, 300, 200, 1),
    (11, 12, 100, 1, 0),
    (17, 18, 100, 1, 0),
)


def test_a_process_and_what_it_started():
    """A pid means its windows in that time and its descendants'; later ones are an aftermath."""
    found = attack_of(FAMILY, [label(10.1, 10.9, pid=100)])
    assert found.tolist() == [CLEAN, 0, 0, 0, CLEAN, AFTERMATH, CLEAN]


def test_a_program_means_all_its_processes():
    """Without a pid, every process of the program in that time is meant, and nothing else."""
    found = attack_of(FAMILY, [label(10.1, 10.9, program="/bin/sh")])
    assert found.tolist() == [CLEAN, CLEAN, 0, 0, 0, CLEAN, CLEAN]


def test_neither_means_the_whole_host():
    """Without pid and program the host is meant."""
    assert (attack_of(FAMILY, [label(0, 99)]) == 0).all()


@pytest.mark.parametrize("pid", [1, 2])
def test_everybodys_parent_has_no_family(pid: int):
    """A label on init does not make its children the attack."""
    found = attack_of(spans((0, 1, pid, 0, 0), (0, 1, 5, pid, 1)), [label(0, 1, pid=pid)])
    assert found.tolist() == [0, CLEAN]


def test_one_attack_after_another():
    """An attack that follows another at once is an attack, and the first keeps what is its own."""
    first, second = label(10.1, 10.9, pid=100), label(11.5, 11.9, pid=100)
    found = attack_of(FAMILY, [first, second])
    assert found[[1, 5]].tolist() == [0, 1]


def test_a_label_of_another_host_is_passed_over(small_lake):
    """Labels with a host are of that host's recordings alone."""
    labels = read_labels(small_lake.labels)
    for name in ("web1", "web2"):
        (source,) = lake([small_lake.later(name)])
        found = ground_truth(source, labels)
        assert {labels[i].host for i in np.unique(found[found >= 0])} == {name}
        assert len(np.unique(found[found >= 0])) == 4
        assert len(found) == sum(map(len, read_batches(source.path)))
