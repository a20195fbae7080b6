"""Promises of labels that meet nothing: what is said of each is true of it."""

from __future__ import annotations

import pytest

from oddcall.service.evaluation.recordings_labels import sentences, unmatched
from oddcall.training.labels import Label
from oddcall.training.recording_figures import AttackFound

JUDGED = [("a", 100, 200)]
FOUND = Label("found", 110, 120, pid=1)
LEARNED = Label("learned", 10, 20, pid=1)
SLIPPED = Label("slipped", 300, 310, pid=1)
OF_ANOTHER = Label("of another", 110, 120, pid=1, host="b")
WITHOUT = Label("without", 110, 120, pid=2)

CLEAN = "What was done there counts as clean, and an alert on it as false."


def attack(label: Label) -> AttackFound:
    """What came of a label: windows for the one that is found."""
    return AttackFound(label, ("a",), int(label == FOUND), 0, 0, 1.0, False, None, None)


def of(*labels: Label):
    met = {i for i, label in enumerate(labels) if label in (FOUND, LEARNED)}
    return unmatched([attack(label) for label in labels], met, JUDGED)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([FOUND, LEARNED], None),
        ([SLIPPED], "If the time is mistaken, what was done counts as clean."),
        ([OF_ANOTHER], "If the host is mistaken, what was done counts as clean."),
        ([SLIPPED, OF_ANOTHER], "If the time or host is mistaken, what was done counts as clean."),
        ([WITHOUT], CLEAN),
    ],
)
def test_only_what_was_judged_counts_as_clean(labels, said):
    """Where nothing was judged nothing counts as clean, unless the label is mistaken."""
    told = [sentence for sentence in sentences(of(*labels), []) if "clean" in sentence]
    assert told == ([said] if said else [])


def test_what_counts_as_clean_follows_the_labels_it_is_said_of():
    """With labels of every kind, "there" is where those without windows are."""
    *_, mistaken, without, clean = sentences(of(SLIPPED, OF_ANOTHER, WITHOUT), [])
    assert mistaken.startswith("If the time or host is mistaken")
    assert without.startswith("1 of 3 has no window of its own: without")
    assert clean == CLEAN


def test_attacks_in_judged_time_are_those_that_might_be_found():
    """What was learned, of another time or of another host is no miss; without windows it is."""
    labels = FOUND, LEARNED, SLIPPED, OF_ANOTHER, WITHOUT
    kept = of(*labels).in_judged_time(map(attack, labels))
    assert [found.label for found in kept] == [FOUND, WITHOUT]
