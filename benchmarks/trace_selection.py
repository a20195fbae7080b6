"""Which detectors to join, and how: measured on clean traces alone, without any attack.

    .venv/bin/python benchmarks/trace_selection.py --set adfa-833 --set mit-lpr
    .venv/bin/python benchmarks/trace_selection.py --train clean/ --train other/

For every set the clean traces it is learned from are divided and altered in six rounds
(`training/traces/selection.py` says how). Printed is, for each choice, the mean of the area and of
what is found at 1 and at 5 % false positives: by kind of test, over all sets.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from oddcall.training.traces.datasets.protocols import PROTOCOLS
from oddcall.training.traces.detectors.detector import AtOnce
from oddcall.training.traces.detectors.peers import KneserNey, RawIsolationForest, Stide
from oddcall.training.traces.detectors.views import MEMBERS
from oddcall.training.traces.parsing.reading import read_traces
from oddcall.training.traces.selection import RULES, WEIGHTS, Judged, judge, overall, trials
from oddcall.training.traces.traces import TraceSet, Vocabulary

_VOTES = {member.name: 1.0 for member in MEMBERS}
_ALL: tuple[type[AtOnce], ...] = (*MEMBERS, Stide, KneserNey, RawIsolationForest)


def main() -> None:
    """Judge every set and print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", action="append", default=[], choices=["adfa-833", "mit-lpr"])
    parser.add_argument("--train", action="append", default=[], type=Path, metavar="DIR")
    parser.add_argument("--rounds", type=int, default=6)
    given = parser.parse_args()
    sets: dict[str, TraceSet] = {name: PROTOCOLS[name](None)[0].train for name in given.set}
    sets |= {str(path): read_traces(path, Vocabulary()) for path in given.train}
    if not sets:
        parser.error("name a set with --set, or a directory of clean traces with --train")
    detectors = {detector.name: detector for detector in _ALL}
    judged: dict[str, list[Judged]] = {}
    for name, clean in sets.items():
        for i, trial in enumerate(trials(clean, given.rounds), 1):
            print(f"{name}: round {i} of {given.rounds}", file=sys.stderr, flush=True)
            judged.setdefault(name, []).append(judge(trial, detectors))
    show(judged)


def show(judged: dict[str, list[Judged]]) -> None:
    """Print each choice's figures, averaged over the rounds of a set and then over sets."""
    choices = [("views: Fisher's sum", _VOTES, "Fisher's sum")]
    choices += [(f"  {rule}", _VOTES, rule) for rule in RULES if rule != "Fisher's sum"]
    for left_out in _VOTES:
        rest = {name: weight for name, weight in _VOTES.items() if name != left_out}
        choices.append((f"  without {left_out}", rest, "Fisher's sum"))
    choices += [(each.name, {each.name: 1.0}, "Fisher's sum") for each in _ALL]
    print(f"{'':24}{'overall':>8}" + "".join(f"{kind[:8]:>9}" for kind in WEIGHTS))
    for label, members, rule in choices:
        by_set = [
            [each.quality(members, RULES[rule]) for each in rounds] for rounds in judged.values()
        ]
        mean = {
            kind: float(np.mean([np.mean([q[kind] for q in rounds]) for rounds in by_set]))
            for kind in WEIGHTS
        }
        figures = "".join(f"{value:>9.3f}" for value in mean.values())
        print(f"{label:24}{overall(mean):>8.3f}{figures}")


if __name__ == "__main__":
    main()
