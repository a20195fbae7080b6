#!/usr/bin/env python3
"""Draw the two pictures of docs/detection.md.

    .venv/bin/python benchmarks/pictures.py [--data ADFA-LD.zip]

One is measured anew: what each detector finds of ADFA-833 at each false-positive rate. The other is
drawn from the table in docs/measured/calibration.md: what p-values promised and what came. Both
are written to docs/measured/.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from oddcall.training.report.curves import stairs
from oddcall.training.report.looks import looks
from oddcall.training.traces.datasets.protocols import adfa_833
from oddcall.training.traces.evaluation import evaluate

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "measured"
#: Detectors as the command names them, and as the tables of the page do.
SHOWN = {
    "views": "views (ours, default)",
    "kneser-ney": "Kneser-Ney, order 6",
    "stide": "STIDE, window 6",
    "autoencoder": "autoencoder on cumulative ratios",
    "isolation-forest": "isolation forest on raw counts",
    "windows": "windows (ours, the live model)",
}
#: Below this rate so few normal traces decide that a line says nothing.
LEAST = 1e-3
#: What the harshest row of each host in the table is called beside its line.
HOSTS = (
    "ordinary work, next quarter of an hour",
    "ordinary work, another day",
    "the same work beside development, next hour",
    "learned quiet, judged busy",
)
PERCENT = {0.001: "0.1 %", 0.003: "0.3 %", 0.01: "1 %", 0.03: "3 %", 0.1: "10 %", 0.3: "30 %"}


def main() -> None:
    """Draw both and say where they are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="where ADFA-LD is; default: $ODDCALL_DATASETS")
    given = parser.parse_args()
    looks()
    save(traces(given.data), "adfa-833.png")
    save(promises((FOLDER / "calibration.md").read_text()), "promises.png")


def save(figure: Figure, name: str) -> None:
    """Write one picture, small enough to be kept beside the pages."""
    figure.savefig(FOLDER / name, dpi=100, pil_kwargs={"optimize": True})
    print(FOLDER / name, f"{(FOLDER / name).stat().st_size / 1000:.0f} KB")


def traces(data: Path | None) -> Figure:
    """Measure ADFA-833 and draw what is found against false positives, which are logarithmic."""
    results = evaluate(adfa_833(data), tuple(SHOWN))
    figure, axes = plt.subplots(figsize=(7.5, 4.2))
    for name, label in SHOWN.items():
        false, found = stairs(results[name], LEAST)
        ours = name in {"views", "windows"}
        width, style = (2.2, "-") if name == "views" else (1.4, "--" if ours else "-")
        axes.plot(false, found, style, linewidth=width, label=label)
    chance = np.geomspace(LEAST, 0.2, 60)
    axes.plot(chance, chance, ":", color="black", linewidth=1, label="chance")
    for rate, goal, said in (
        (0.01, 0.25, "goal:\nmissed"),
        (0.05, 0.40, "goal:\nmet"),
    ):
        axes.plot(rate, goal, "x", color="black", markersize=8, markeredgewidth=2)
        axes.annotate(said, (rate * 0.93, goal + 0.01), ha="right", va="top", fontsize=8)
    axes.set(xscale="log", xlim=(LEAST, 0.2), ylim=(0, 0.75))
    axes.set(xlabel="normal traces reported (log)", ylabel="attacks found", title="ADFA-833")
    axes.set_xticks([0.001, 0.01, 0.05, 0.1], ["0.1 %", "1 %", "5 %", "10 %"])
    axes.minorticks_off()
    axes.set_yticks([0, 0.25, 0.5, 0.75], ["0 %", "25 %", "50 %", "75 %"])
    axes.legend(loc="upper left", fontsize=8)
    return figure


def promises(page: str) -> Figure:
    """Draw what the page's table has of programs that vary: realised against promised shares."""
    promised, rows = promised_and_came(page)
    figure, axes = plt.subplots(figsize=(7.5, 4.2))
    axes.plot(promised, promised, ":", color="black", label="as promised")
    axes.fill_between(
        promised, 1e-5, [1.5 * p for p in promised], alpha=0.12, label="kept: at most half again"
    )
    for label, came in zip(HOSTS, rows, strict=True):
        axes.plot(promised, came, "o-", linewidth=1.4, markersize=5, label=label)
    axes.set(xscale="log", yscale="log", xlim=(8e-4, 0.13), ylim=(1.5e-4, 0.4))
    axes.set(xlabel="promised share of clean windows (log)", ylabel="what came (log)")
    axes.set_title("p-values on later clean windows, programs that vary")
    axes.set_xticks(promised, [PERCENT[p] for p in promised])
    axes.set_yticks(list(PERCENT), list(PERCENT.values()))
    axes.minorticks_off()
    axes.legend(loc="upper left", fontsize=8)
    return figure


def promised_and_came(page: str) -> tuple[list[float], list[list[float]]]:
    """Read what was promised, and what came in each row of programs that vary, of all windows.

    The page gives both in percent; what comes back are shares.
    """
    head = re.search(r"promised ([\d.| ]+)\|\n", page)
    rows = re.findall(r"^\| [^|]*that vary \|[^|]*\|(.*)\|$", page, re.MULTILINE)
    if head is None or len(rows) != len(HOSTS):
        raise SystemExit(
            f"expected {len(HOSTS)} rows of programs that vary in calibration.md, got {len(rows)}"
        )
    promised = [float(cell) / 100 for cell in head[1].split("|")]
    return promised, [[float(c.split(",")[0]) / 100 for c in row.split("|")] for row in rows]


if __name__ == "__main__":
    main()
