#!/usr/bin/env python3
"""What an intruder who is there while oddcall learns can hide.

Usage: .venv/bin/python benchmarks/poisoning.py TRIAL [--behaviour NAME]...

TRIAL is what `oddcall evaluate live --keep TRIAL` left. For each behaviour that was caught, windows
of it, always its oddest one, are put into what was learned of the web server, spread evenly over
its time: none, then 1 to 100. The baseline is learned anew, the threshold of the host stays, and
the attack is judged again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from oddcall.models.bundle import load_bundle
from oddcall.models.model import Model
from oddcall.models.window import WindowBatch
from oddcall.training.fit import FitSettings, fit
from oddcall.training.recording import read_batches, read_metadata

DOSES = (0, 1, 3, 10, 30, 100)


def windows_of(recording: Path, pid: int, began: float, ended: float) -> list[WindowBatch]:
    """Windows of a process and its children in a time, seconds since the epoch."""
    found = []
    for batch in read_batches(recording):
        mine = (batch.pid == pid) | (batch.ppid == pid)
        mine &= (batch.t_end_ns >= began * 1e9) & (batch.t_start_ns <= ended * 1e9)
        if mine.any():
            found.append(batch.take(mine))
    return found


def poisoned(clean: list[WindowBatch], poison: WindowBatch, dose: int) -> Iterator[WindowBatch]:
    """Put one window so many times among clean ones, evenly."""
    due = np.linspace(0, len(clean) - 1, dose + 2)[1:-1].astype(int).tolist()
    for place, batch in enumerate(clean):
        yield batch
        end = np.array([int(batch.t_end_ns.max())])
        for _ in range(due.count(place)):
            yield replace(poison, t_start_ns=end - 1_000_000_000, t_end_ns=end)


def oddest(attack: list[WindowBatch], model: Model) -> WindowBatch:
    """Take the window that stands out most."""
    rows = [
        (float(p), place, row)
        for place, batch in enumerate(attack)
        for row, p in enumerate(model.judge(batch).p_value)
    ]
    _, place, row = min(rows)
    return attack[place].take(np.array([row]))


def learned(batches: Iterator[WindowBatch], model: Model, metadata: dict[str, str]) -> Model:
    """Learn one program anew, and hold it to the threshold of the whole host."""
    again = fit(batches, FitSettings(budget_per_day=model.budget_per_day), metadata)
    return replace(again, threshold=model.threshold)


def main() -> int:
    """Print a table: the smallest p-value of each attack by dose."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trial", type=Path)
    parser.add_argument("--behaviour", action="append")
    given = parser.parse_args()
    state, report = given.trial / "state", json.loads((given.trial / "report.json").read_text())
    model, metadata = load_bundle(state / "baseline.oddcall"), read_metadata(state / "learning")
    caught: list[dict[str, Any]] = [
        found
        for found in report["behaviours"]
        if (found["name"] in given.behaviour if given.behaviour else found["caught"])
    ]
    if not caught:
        sys.exit("nothing was caught in this trial")
    clean = windows_of(state / "learning", caught[0]["pid"], 0.0, 1e12)
    print(f"{sum(map(len, clean)):,} clean windows, alerts from p = {model.threshold:.1e}\n")
    print("smallest p-value of the attack, by windows of it among those learned:\n")
    print(f"{'behaviour':<18}" + "".join(f"{dose:>13}" for dose in DOSES))
    for found in caught:
        attack = windows_of(state / "kept", found["pid"], found["began"], found["ended"])
        poison = oddest(attack, model)
        line = f"{found['name']:<18}"
        for dose in DOSES:
            again = learned(poisoned(clean, poison, dose), model, metadata)
            p = min(float(again.judge(batch).p_value.min()) for batch in attack)
            line += f"{p:>10.0e}{' !' if p <= model.threshold else '  ':<3}"
        print(line, flush=True)
    print("\n! it alerts still")
    return 0


if __name__ == "__main__":
    sys.exit(main())
