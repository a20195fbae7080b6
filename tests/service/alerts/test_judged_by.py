"""Whose baseline judges a program is said in one set of words wherever people read it."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from importlib.resources import files

import pytest

from oddcall.models.model import Model
from oddcall.models.verdict import JUDGED_BY, LEVELS
from oddcall.service.alerts.text import render
from oddcall.service.learning import states, summary

from .test_text import ALERT


def test_every_level_has_its_words() -> None:
    """No level is without words, and no two have the same."""
    assert tuple(JUDGED_BY) == LEVELS
    assert len(set(JUDGED_BY.values())) == len(LEVELS)


@pytest.mark.parametrize("level", LEVELS)
def test_programs_and_alerts_say_it_alike(level: str) -> None:
    """The table of ``programs`` and the evidence of an alert, in the same words."""
    row = {"state": "ready", "windows": 9, "level": level, "since": None, "why": ""}
    assert JUDGED_BY[level] in "\n".join(states.table([row], 1, ["web"]))
    alert = copy.deepcopy(ALERT)
    alert["baseline"]["level"] = level
    assert f"against {JUDGED_BY[level]}" in " ".join(render(alert).split())


@pytest.mark.parametrize("level", ["program", "similar"])
def test_train_says_it_as_programs_does(trained: Model, level: str) -> None:
    """A model knows two levels; its table names them by the same words."""
    first, *others = trained.programs
    model = replace(trained, programs=(replace(first, level=level), *others))
    row = next(line for line in summary.table(model) if line.startswith(first.program.name))
    assert f"  {JUDGED_BY[level]}  " in row


def test_the_page_has_the_same_words() -> None:
    """What the page calls the levels is what the terminal calls them."""
    script = files("oddcall.service.web").joinpath("static/dom.js").read_text()
    (told,) = re.findall(r"JUDGED_BY = \{(.*?)\}", script, re.DOTALL)
    assert dict(re.findall(r'(\w+): "(.*?)"', told)) == JUDGED_BY
