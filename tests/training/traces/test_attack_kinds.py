"""Promises of the figures by kind of attack: names come from folders, figures are those of all."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.training.figures import measure
from oddcall.training.traces.attack_kinds import by_kind, kinds_of, mean_kinds


@pytest.mark.parametrize(
    ("labels", "kinds"),
    [
        (["Adduser_1/a.txt", "Adduser_12/b.txt", "Web_Shell_3/c", "Web_Shell_3/d"], "AAWW"),
        (["scan-1.txt", "scan-02.txt", "shell-1.gz", "shell-2.gz"], "ssss"),
        (["x/1", "x/2", "x/3"], ""),
        (["a", "b", "c", "d"], ""),
        (["000.int:7", "000.int:8", "001.int:9", "001.int:10"], ""),
        ([], ""),
    ],
)
def test_kinds_are_named_by_folder_or_file(labels: list[str], kinds: str) -> None:
    """The number of a run is no part of the kind; one kind, or as many as traces, is no table."""
    assert "".join(kind[0] for kind in kinds_of(labels)) == kinds
    assert all(not kind[-1].isdigit() for kind in kinds_of(labels))


def test_labels_name_kinds_before_folders_do() -> None:
    """Where every attack has a label, and labels are of kinds, they are the kinds."""
    folders = ["x/1", "x/2", "y/1", "y/2"]
    assert kinds_of(folders, ["1", "2", "2", "1"]) == ("1", "2", "2", "1")
    for words in (["scan", "", "worm", "scan"], ["1", "1", "1", "1"], ["a", "b", "c", "d"]):
        assert kinds_of(folders, words) == ("x", "x", "y", "y")


def test_figures_of_kinds_add_up_to_those_of_all() -> None:
    """Weighed by traces, areas, rates and what was found are those of all attacks together."""
    random = np.random.default_rng(4)
    normal, attack = random.normal(0, 1, 300), random.normal(1.5, 1, 90)
    kinds = ["one"] * 30 + ["two"] * 60
    attack[:30] += 1
    found = measure(normal, attack, 1.6)
    parts = by_kind(found, kinds)
    assert {name: kind.count for name, kind in parts.items()} == {"one": 30, "two": 60}
    assert parts["one"].auc > parts["two"].auc

    def mixed(one: float, two: float) -> float:
        return (30 * one + 60 * two) / 90

    one, two = parts["one"], parts["two"]
    assert mixed(one.auc, two.auc) == pytest.approx(found.auc)
    assert mixed(one.found, two.found) == pytest.approx(found.found)
    for rate, share in found.detected.items():
        assert mixed(one.detected[rate], two.detected[rate]) == pytest.approx(share)


def test_no_kinds_give_no_figures_and_runs_are_averaged() -> None:
    """Without names there is no table; of two runs each figure is the mean."""
    low, high = (measure(np.arange(20.0), at + np.arange(4.0), 18) for at in (0, 100))
    assert by_kind(low, ()) == {}
    runs = [by_kind(run, ["a", "a", "b", "b"]) for run in (low, high)]
    both = mean_kinds(runs)
    assert both["a"].auc == pytest.approx((runs[0]["a"].auc + 1) / 2)
    assert both["b"].found == pytest.approx(0.5)
