"""What is said of a model adds up, and says what was not used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from oddcall.models.model import Model
from oddcall.service.learning.summary import as_dict, headline, not_learned, table, trained_on


def lasting(model: Model, seconds: int) -> Model:
    """The same, of a lesson of so many seconds."""
    return replace(model, metadata=model.metadata | {"lasted_s": f"{seconds}"})


def test_what_so_short_a_lesson_cannot_tell_is_said_beside_the_rate(trained: Model) -> None:
    """The line with the rate carries the reserve, for people who read no other."""
    for line in (headline, trained_on):
        reserve = "budget 1/day; so short a recording cannot tell: that rate is a guess"
        assert line(lasting(trained, 8)).endswith(reserve)
        assert line(lasting(trained, 600)).endswith("budget 1/day")


def test_a_model_that_does_not_say_how_long_it_was_taught_is_taken_by_its_windows(
    trained: Model,
) -> None:
    """Earlier versions wrote only when the first and the last window were."""
    told = {k: v for k, v in trained.metadata.items() if k != "lasted_s"}
    first = min(known.first_ns for known in trained.programs)
    programs = tuple(
        replace(k, first_ns=first, last_ns=first + 7_200_000_000_000) for k in trained.programs
    )
    assert " over 2h; " in trained_on(replace(trained, metadata=told, programs=programs))


def test_the_table_says_how_far_the_evidence_on_a_program_reaches(trained: Model) -> None:
    """The smallest p-value that counting can tell, of how many windows; in JSON as well."""
    known = max(trained.programs, key=lambda known: known.windows)
    n = trained.calibration.independent(known.profile)
    assert n > 20
    (row,) = (row for row in table(trained) if row.startswith(f"{known.program.name} "))
    assert f"  {1 / (n + 1):.2g} " in row
    assert max(map(len, table(trained))) <= 80
    told = {entry["exe"]: entry for entry in as_dict(trained)["programs"]}[known.program.exe]
    assert told["independent_windows"] == n
    assert told["smallest_p"] == float(f"{1 / (n + 1):.6g}")


def test_a_share_of_the_budget_is_written_by_its_time_and_never_as_none(trained: Model) -> None:
    """By the week where the budget is; a program that costs little does not cost 0.00."""
    first, *others = trained.programs
    for per_day, cost, head, written in (
        (1 / 7, 0.003 / 7, "alerts/week", "0.003"),
        (1 / 7, 0.0001 / 7, "alerts/week", "<0.001"),
        (24.0, 0.48, "alerts/day", "0.48"),
        (1.0, 0.0, "alerts/day", "0"),
    ):
        programs = (replace(first, expected_alerts_per_day=cost), *others)
        lines = [*table(replace(trained, programs=programs, budget_per_day=per_day))]
        assert lines[0].endswith(f" {head}")
        (row,) = (line for line in lines if line.startswith(f"{first.program.name} "))
        assert row.endswith(f" {written}")
        assert max(map(len, lines)) <= 80


def test_windows_that_were_left_out_are_counted(trained: Model) -> None:
    """Of an incomplete identity nothing is learned: it is said what such windows are."""
    used = sum(known.windows for known in trained.programs)
    none, some = (
        trained_on(replace(trained, metadata={"windows_without_program": n})) for n in ("0", "2")
    )
    assert f"{used:,} windows over " in none
    why = "whose program, unit or container was not read in time"
    assert f"{used:,} windows (2 more left out, {why}) over " in some


def test_the_rate_and_the_budget_are_said_alike(trained: Model) -> None:
    """Both by the day or both by the week, in plain digits, to be held against each other."""
    long = lasting(trained, 3600)

    def said(per_day: float, expected: float) -> str:
        model = replace(long, budget_per_day=per_day, expected_alerts_per_day=expected)
        return headline(model).partition("; ")[2]

    assert said(1.0, 0.5) == "expects 0.5 false alerts a day, budget 1/day"
    assert said(1 / 7, 1 / 7) == "expects 1 false alert a week, budget 1/week"
    assert said(5 / 7, 0.1) == "expects 0.7 false alerts a week, budget 5/week"
    assert said(1e6, 9.8e5) == "expects 980,000 false alerts a day, budget 1000000/day"


def test_who_asks_to_learn_in_vain_is_told_why(trained: Model) -> None:
    """A baseline that is kept, or one that was named, judges: each is named, with what to type."""
    kept = not_learned(trained, None, Path("/var/lib/oddcall"))
    assert kept.startswith("--learn is not used: this host was learned, of windows up to ")
    assert kept.endswith("ago, kept in /var/lib/oddcall; --relearn learns it anew")
    named = not_learned(trained, Path("host.oddcall"), Path("/var/lib/oddcall"))
    assert named == "--learn is not used: host.oddcall judges, as --model names it"


@pytest.mark.parametrize(("expected", "told"), [(0.9999999, 1.0), (1 / 3, 0.333333)])
def test_a_machine_is_told_no_more_digits_than_are_known(
    trained: Model, expected: float, told: float
) -> None:
    """Six digits of a rate, as alerts have; the model itself keeps all of them."""
    rates = (expected, 0.0)
    programs = tuple(
        replace(known, expected_alerts_per_day=rate)
        for known, rate in zip(trained.programs, rates, strict=False)
    )
    model = replace(trained, programs=programs, budget_per_day=expected)
    found = as_dict(model)
    assert found["budget_per_day"] == told
    assert found["programs"][0]["expected_alerts_per_day"] == told
    assert found["expected_alerts_per_day"] == float(f"{model.expected_alerts_per_day:.6g}")
    assert model.programs[0].expected_alerts_per_day == expected
