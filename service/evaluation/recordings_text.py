"""What ``evaluate recordings`` found: as a table of 80 columns, and for a machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from statistics import median
from typing import Any

from oddcall.service.alerts.alert import iso
from oddcall.service.evaluation.recordings import Evaluation
from oddcall.service.naming import shortened
from oddcall.service.quantities import counted, format_duration
from oddcall.training.figures import Interval, Result
from oddcall.training.recording_figures import (
    TOGETHER,
    AttackFound,
    Kept,
    ProgramJudged,
    Rate,
    found_at,
    kept,
    part_of,
    per_day,
    programs_judged,
)

#: Programs shown to people.
_ROWS = 12


def as_dict(done: Evaluation, split: str, results: dict[str, Result]) -> dict[str, Any]:
    """Everything for a machine."""
    judged = done.judged
    return {
        "split": split,
        "models": done.models,
        "default": TOGETHER,
        "windows": {
            "learned": done.learned,
            "left_out": done.left_out,
            "judged": len(judged),
            "without_baseline": int((~judged.known).sum()),
            "clean": int(judged.clean.sum()),
            "attack": int(judged.attacked.sum()),
        },
        "detectors": {name: _figures(result) for name, result in results.items()},
        "calibration": [asdict(row) for row in kept(judged)],
        "alerts": {
            "false": done.false_alerts,
            "true": done.true_alerts,
            "host_days": done.host_days,
            "false_per_host_day": _rate(false_alerts(done)),
            "budget_per_day": done.budget_per_day,
        },
        "recall": _rate(recall(done)),
        "found_at_fpr": {f"{rate:.2f}": part for rate, part in found_at(done.attacks).items()},
        "attacks": [_attack(attack) for attack in done.attacks],
        "programs": [_program(program) for program in programs_judged(judged)],
    }


def recall(done: Evaluation) -> Rate:
    """Share of the visible attacks that were found."""
    visible = [attack for attack in done.attacks if attack.label.visible]
    return part_of(sum(attack.found for attack in visible), len(visible))


def false_alerts(done: Evaluation) -> Rate:
    """Count false alerts a host-day."""
    return per_day(done.false_alerts, done.host_days)


def _figures(result: Result) -> dict[str, Any]:
    return {
        "auc": result.auc,
        "ap": result.ap,
        "dr_at_fpr": {f"{rate:.2f}": dr for rate, dr in result.detected.items()},
        "chosen": {
            "target_fpr": 10**-result.threshold,
            "fpr": result.fpr,
            "dr": result.found,
        },
        "intervals": {name: [i.low, i.high] for name, i in result.intervals.items()},
    }


def _rate(rate: Rate) -> dict[str, Any]:
    high = rate.between.high
    return {
        "count": rate.count,
        "of": rate.of,
        "value": rate.value if rate.of else None,
        "interval": [rate.between.low, high if high != float("inf") else None],
    }


def _attack(attack: AttackFound) -> dict[str, Any]:
    label = attack.label
    return {
        "name": label.name,
        "program": label.program or None,
        "pid": label.pid,
        "technique": label.technique or None,
        "visible": label.visible,
        "start": iso(label.start_ns),
        "windows": attack.windows,
        "windows_with_baseline": attack.known,
        "p_value": attack.p_value,
        "found": attack.found,
        "delay_s": attack.delay_s,
        "needs_fpr": attack.needs,
    }


def _program(judged: ProgramJudged) -> dict[str, Any]:
    return {
        "exe": judged.program.exe,
        "unit": judged.program.unit or None,
        "container": judged.program.container or None,
        "windows": judged.windows,
        "clean": judged.clean,
        "attack": judged.attacked,
        "with_baseline": judged.known,
        "realised_at_0.05": judged.at_five,
        "false_windows": judged.alerting,
        "attacks": judged.attacks,
        "found": judged.found,
    }


def table(done: Evaluation, split: str, results: dict[str, Result]) -> Iterator[str]:
    """Lay everything out for people."""
    yield from _head(done, split)
    if results:
        yield ""
        yield from _separation(results)
    promises = kept(done.judged)
    if promises:
        yield ""
        yield from _promises(promises)
    yield ""
    yield from _alerts(done)
    if done.attacks:
        yield ""
        yield from _attacks(done.attacks)
    yield ""
    yield from _programs(programs_judged(done.judged))


def _head(done: Evaluation, split: str) -> Iterator[str]:
    judged = done.judged
    learned = f"learned from {counted(done.learned, 'window')}, " if done.learned else ""
    span = format_duration(max(done.host_days * 86400, 1))
    yield f"{split}: {learned}judged {len(judged):,} over {span}"
    without = int((~judged.known).sum())
    yield (
        f"{int(judged.clean.sum()):,} clean and {int(judged.attacked.sum()):,} of attacks; "
        f"{without:,} without a baseline, not judged"
    )
    if done.left_out:
        yield f"{counted(done.left_out, 'window')} across the learned and the judged time left out"


def _separation(results: dict[str, Result]) -> Iterator[str]:
    yield f"{'windows':18}{'':20}{'AP':>9}   found at false positives of"
    yield f"{'':18}{'AUC':>6} {'range':>13}{'':9}{'1 %':>9}{'5 %':>9}{'10 %':>9}"
    for name, result in results.items():
        between = result.intervals.get("auc")
        spread = f"{between.low:.3f}-{between.high:.3f}" if between else ""
        rates = "".join(f"{found:>9.3f}" for found in result.detected.values())
        yield f"{name:18}{result.auc:>6.3f} {spread:>13}{result.ap:>9.3f}{rates}"


def _promises(rows: list[Kept]) -> Iterator[str]:
    yield "p-values on clean windows"
    shown = [row for row in rows if row.promised in (0.1, 0.05, 0.01, 0.001)]
    yield f"{'  promised':12}" + "".join(f"{_share(row.promised):>16}" for row in shown)
    yield f"{'  came':12}" + "".join(f"{_share(row.realised):>16}" for row in shown)
    yield f"{'  range':12}" + "".join(f"{_range(row.between):>16}" for row in shown)


def _alerts(done: Evaluation) -> Iterator[str]:
    between = false_alerts(done).between
    span = format_duration(max(done.host_days * 86400, 1))
    yield (
        f"false alerts  {counted(done.false_alerts, 'episode')} in {span} of hosts: from "
        f"{number(between.low)} to {number(between.high)}"
    )
    yield f"{'':14}a day would be no surprise; the budget is {done.budget_per_day:.3g}"
    if done.attacks:
        found = recall(done)
        delays = [attack.delay_s for attack in done.attacks if attack.delay_s is not None]
        soon = f", half of them within {median(delays):.1f} s" if delays else ""
        yield f"attacks       {found.count} of {found.of:.0f} found{soon}"
        at = ", ".join(f"{part:.0%}" for part in found_at(done.attacks).values())
        yield f"{'':14}at 1, 5, 10 % of clean windows reported: {at}"


def _attacks(attacks: list[AttackFound]) -> Iterator[str]:
    yield f"{'attack':26}{'windows':>8}{'least p':>10}{'found':>8}{'after':>9}{'needs':>10}"
    for attack in attacks:
        name = attack.label.name[:25]
        found = "yes" if attack.found else "no" if attack.label.visible else "(no)"
        after = "" if attack.delay_s is None else f"{attack.delay_s:.1f} s"
        needs = "" if attack.needs is None else _share(attack.needs)
        least = f"{attack.p_value:.1e}" if attack.known else "unknown"
        yield f"{name:26}{attack.windows:>8,}{least:>10}{found:>8}{after:>9}{needs:>10}"
    yield "needs: clean windows that a threshold low enough for it would report"


def _programs(programs: list[ProgramJudged]) -> Iterator[str]:
    names = shortened([judged.program for judged in programs], 24)
    yield (
        f"{'program':26}{'windows':>9}{'baseline':>10}{'p <= 5 %':>10}{'alerting':>10}"
        f"{'attacks':>12}"
    )
    for name, one in list(zip(names, programs, strict=True))[:_ROWS]:
        at_five = "" if one.at_five is None else _share(one.at_five)
        attacks = f"{one.found} of {one.attacks}" if one.attacks else ""
        yield (
            f"{name:26}{one.windows:>9,}{one.known:>10.0%}{at_five:>10}{one.alerting:>10,}"
            f"{attacks:>12}"
        )
    if len(programs) > _ROWS:
        yield f"and {len(programs) - _ROWS} more"


def _share(share: float) -> str:
    """Write a share in percent, with as many figures as it deserves."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def number(value: float) -> str:
    """Write a rate with two figures: ``"0.25"``, ``"1,300"``."""
    if value >= 100:
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{value:.2g}"


def _range(between: Interval) -> str:
    return f"{100 * between.low:.2g} to {100 * between.high:.2g}"
