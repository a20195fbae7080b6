"""The page of ``evaluate recordings --html``."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median

from oddcall.models.durations import format_duration
from oddcall.models.storage import write_whole
from oddcall.service.evaluation.recordings import Evaluation
from oddcall.service.evaluation.recordings_caveats import caveats
from oddcall.service.evaluation.recordings_labels import sentences
from oddcall.service.evaluation.recordings_text import (
    after,
    attacks_in,
    delays,
    false_alerts,
    found_word,
    hosts_of,
    returned,
    what_was_judged,
    what_was_learned,
    why_not_judged,
)
from oddcall.service.naming import shortened
from oddcall.service.quantities import Budget, counted, number
from oddcall.training.figures import Result
from oddcall.training.recording_figures import (
    ALIKE,
    AttackFound,
    kept,
    programs_judged,
    recall,
)
from oddcall.training.report import curves
from oddcall.training.report.drawing import percent
from oddcall.training.report.page import (
    Tile,
    caveat,
    figure,
    heading,
    page,
    remark,
    side_by_side,
    table,
    tiles,
)
from oddcall.training.report.separation import separation
from oddcall.training.report.timeline import strips

#: Programs in the table.
_ROWS = 60


def write(path: Path, done: Evaluation, split: str, results: dict[str, Result]) -> None:
    """Write the page; raises StorageError when it cannot."""
    judged = done.judged
    learned = f" Learned from {what_was_learned(done)}." if done.learned else ""
    lead = (
        f"Judged {split}: {counted(len(judged), 'window')} over "
        f"{format_duration(max(done.host_days * 86400, 1))}, "
        f"{counted(len(done.attacks), 'attack')}.{learned}"
    )
    body = [
        remark(" ".join(f"{line}." for line in what_was_judged(done))),
        tiles(_tiles(done, results)),
    ]
    if said := " ".join(sentences(done.unmatched, judged.programs)):
        body.append(heading("Labels", said))
    windows = separation(
        results,
        unit="windows",
        title="Windows of attacks against clean ones",
        lead="By the p-value of all detectors together and of each alone. A window counts as an "
        "attack's when it overlaps it, also where the process did its usual work in it. Ranges "
        "are the middle 95 % over resampled stretches of time and programs.",
    )
    body += map(caveat, caveats(results, kept(judged), done.barely_met))
    for part in (windows, _time(done), _attacks(done), _programs(done)):
        body += part
    text = page("What oddcall found", lead, body, f"oddcall {version('oddcall')}. Times are UTC.")
    write_whole(path, text.encode())


def _tiles(done: Evaluation, results: dict[str, Result]) -> Iterator[Tile]:
    found, false = recall(done.attacks), false_alerts(done)
    without = why_not_judged(done.attacks)
    if met := done.barely_met:
        yield Tile(
            "judged by programs like them",
            f"{met.by_like:,} of {met.programs:,}",
            f"programs after their first {met.few} windows",
        )
    if found.of:
        seconds = delays(done.attacks)
        low, high = found.between.low, found.between.high
        yield Tile(
            "attacks found",
            f"{found.count} of {found.of:.0f}",
            f"{percent(low)} to {percent(high)} would be no surprise"
            + (f"; {without}" if without else ""),
        )
        if seconds:
            yield Tile("half of them within", after(median(seconds)), f"last {after(max(seconds))}")
    elif without:
        yield Tile("attacks found", "none judged", without)
    yield Tile(
        "false alerts",
        f"{done.false_alerts} in {format_duration(max(done.host_days * 86400, 1))}",
        f"{number(false.between.low)} to {number(false.between.high)} a day; "
        f"budget {Budget.of_day(done.budget_per_day)}"
        + (f"; {returned(done)}" if done.false_returns else ""),
    )
    if results:
        best = next(iter(results.values()))
        between = best.intervals["auc"]
        yield Tile("AUC of windows", f"{best.auc:.3f}", f"{between.low:.3f} to {between.high:.3f}")
    rows = [row for row in kept(done.judged) if row.promised == 0.01]
    for row in rows:
        yield Tile(
            "promised 1 %, came",
            percent(row.realised),
            f"{percent(row.between.low)} to {percent(row.between.high)}"
            if row.between.high
            else f"of {counted(int(done.judged.clean.sum()), 'clean window')}",
        )


def _time(done: Evaluation) -> Iterator[str]:
    rows = kept(done.judged)
    failed = any(attack.label.failure for attack in done.attacks)
    yield heading(
        "Over time",
        "The least likely clean window of each moment is a bar; from the dashed line on, a window "
        "alerts. Attacks are shaded: their windows are red, filled where they alerted. "
        + ("What failed is outlined, and its windows are grey. " if failed else "")
        + "What is far beyond the line is drawn at the edge.",
    )
    labels = [attack.label for attack in done.all_attacks]
    for strip in strips(done.judged, labels, done.hosts):
        yield figure(strip.svg, strip.name, strip.about)
    if rows:
        yield heading("Promises", "A p-value of 1 % promises that 1 % of clean windows get it.")
        yield side_by_side(
            [
                figure(
                    curves.promises(rows),
                    "Came against promised",
                    "On the line the promise is kept; the faint lines are a factor of 1.5. Rings: "
                    f"without programs of which {ALIKE:.0%} of windows or more are alike.",
                )
            ]
        )


def _attacks(done: Evaluation) -> Iterator[str]:
    if not done.attacks:
        return
    many = len(done.hosts) > 1
    yield heading(
        "Attacks",
        "Needs: clean windows that a threshold low enough for it reports. Not judged: no window of "
        "it had a baseline that may alert; it is neither found nor missed. Failed: it was not "
        "done to its end; neither, as well.",
    )
    yield table(
        ("attack", *(["host"] if many else []), "technique", "windows", "least p", "found",
         "after", "needs"),
        [
            (
                a.label.name,
                *([hosts_of(done, a)] if many else []),
                a.label.technique,
                f"{a.windows:,}",
                f"{a.p_value:.1e}" if a.judged else "",
                _found(a),
                after(a.delay_s),
                "" if a.needs is None else percent(a.needs),
            )
            for a in done.attacks
        ],
        [_colour(a) for a in done.attacks],
    )  # fmt: skip


def _found(attack: AttackFound) -> str:
    if attack.label.failure:
        return f"failed: {' '.join(attack.label.failure.split())}"
    lacking = f", without {attack.lacks}" if attack.lacks else ""
    return f"{found_word(attack)}{lacking}"


def _colour(attack: AttackFound) -> str:
    """Class of its row: found or missed; none where it is neither."""
    if attack.label.failure:
        return ""
    return "hit" if attack.found else "miss" if attack.counts else ""


def _programs(done: Evaluation) -> Iterator[str]:
    programs = programs_judged(done.judged, done.labels)
    names = shortened([one.program for one in programs], 40)
    yield heading("Programs", "p at or below 5 %: the share of clean windows that got it.")
    yield table(
        ("program", "windows", "with baseline", "p at or below 5 %", "false", "attacks found"),
        [
            (
                name,
                f"{one.windows:,}",
                f"{one.known:.0%}",
                "" if one.at_five is None else percent(one.at_five),
                f"{one.alerting:,}",
                attacks_in(one),
            )
            for name, one in list(zip(names, programs, strict=True))[:_ROWS]
        ],
    )
    if len(programs) > _ROWS:
        yield remark(f"and {len(programs) - _ROWS} more")
