"""Promises of a label in files that are a trace each: it is never learned as a call in silence."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oddcall.models.errors import SettingError
from oddcall.training.traces.parsing.ends import Telling, telling_ends
from oddcall.training.traces.parsing.reading import read_split

from ..written import put

CALLS = ["0", "1", "3", "5", "9", "13", "59", "202", "257"]


def folders(root: Path, form: str, normal: str, attack: str, many: int = 8) -> tuple[Path, Path]:
    """A folder of normal traces and one of attacks, a file each, with a word of their own."""
    made = random.Random(3)
    for name, word, count in (("normal", normal, 12), ("attack", attack, many)):
        for i in range(count):
            calls = made.choices(CALLS, k=made.randint(9, 40))
            put(root / name / f"{i}.txt", form.format(word, " ".join(calls), "\n".join(calls)))
    return root / "normal", root / "attack"


FORMS = {"in front": "{0} {1}\n", "a line each": "{0}\n{2}\n", "its own line": "{0}\n{1}\n"}


@pytest.mark.parametrize("form", [*FORMS.values(), "{1} {0}\n"])
def test_a_label_in_every_file_is_refused(tmp_path: Path, form: str) -> None:
    """0 in front of all clean traces and 1 of all attacks are calls, too, and tell them apart."""
    clean, attack = folders(tmp_path, form, "0", "1")
    with pytest.raises(SettingError, match=r"word of every file reads as a label.*got 0, 1"):
        read_split(clean, None, attack)


def test_who_says_that_it_is_a_call_is_believed(tmp_path: Path) -> None:
    """The way out that the refusal names is one, and what is told with the figures stays."""
    clean, attack = folders(tmp_path, FORMS["in front"], "0", "1")
    split = read_split(clean, None, attack, "file")
    assert telling_ends(split) == [Telling("first", "0", ("1",))]


@pytest.mark.parametrize(
    ("normal", "attack", "many", "tells"),
    [
        ("59", "59", 8, False),
        ("1", "1", 8, False),
        ("59", "257", 8, True),
        ("0", "59", 8, True),
        ("0", "1", 4, True),
        ("", "1", 8, False),
    ],
)
def test_traces_that_begin_alike_are_read(
    tmp_path: Path, normal: str, attack: str, many: int, *, tells: bool
) -> None:
    """Programs begin alike, attacks perhaps otherwise: no reason to refuse them."""
    clean, odd = folders(tmp_path, FORMS["in front"], normal, attack, many)
    split = read_split(clean, None, odd)
    assert len(split.attack) == many
    assert [one.which for one in telling_ends(split)] == ["first"] * tells


def test_fewer_than_can_be_learned_from_tell_nothing(tmp_path: Path) -> None:
    """Four traces that begin alike are no pattern."""
    clean, attack = folders(tmp_path, FORMS["in front"], "59", "257")
    split = read_split(clean, None, attack)
    few = np.arange(2)
    assert telling_ends(split)
    assert not telling_ends(
        replace(split, train=split.train.take(few), normal=split.normal.take(few))
    )
