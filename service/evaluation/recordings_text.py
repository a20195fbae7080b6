"""What ``evaluate recordings`` found: as a table of 80 columns, and for a machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from statistics import median
from textwrap import wrap
from typing import Any

from oddcall.models.durations import format_duration
from oddcall.service.alerts.alert import iso
from oddcall.service.alerts.text import clean
from oddcall.service.evaluation.recordings import Evaluation
from oddcall.service.evaluation.recordings_caveats import caveats, share
from oddcall.service.evaluation.recordings_labels import sentences
from oddcall.service.naming import fitted, shortened
from oddcall.service.quantities import Budget, counted, number
from oddcall.training.calibrate import PROGRAMS_FOR_TRANSFER
from oddcall.training.figures import RATES, Interval, Result
from oddcall.training.recording_figures import (
    ALIKE,
    TOGETHER,
    AttackFound,
    BarelyMet,
    Kept,
    ProgramJudged,
    Rate,
    found_at,
    kept,
    per_day,
    programs_judged,
    recall,
)

#: Programs shown to people.
_ROWS = 12


def as_dict(done: Evaluation, split: str, results: dict[str, Result]) -> dict[str, Any]:
    """Everything for a machine."""
    judged, promises = done.judged, kept(done.judged)
    return {
        "split": split,
        "models": done.models,
        "default": TOGETHER,
        "windows": {
            "learned": done.learned,
            "left_out": done.left_out,
            "judged": len(judged),
            "without_baseline": int((~judged.known).sum()),
            "unsettled": _unsettled(done),
            "left_behind": _left_behind(done),
            "clean": int(judged.clean.sum()),
            "attack": int(judged.attacked.sum()),
        },
        "barely_met": asdict(done.barely_met) if done.barely_met else None,
        "detectors": {name: _figures(result) for name, result in results.items()},
        "caveats": [*caveats(results, promises, done.barely_met)],
        "calibration": [{**asdict(row), "broken": row.broken} for row in promises],
        "alerts": {
            "false": done.false_alerts,
            "true": done.true_alerts,
            "false_returns": done.false_returns,
            "true_returns": done.true_returns,
            "cooldown_s": done.cooldown_s,
            "host_days": done.host_days,
            "false_per_host_day": _rate(false_alerts(done)),
            "budget_per_day": done.budget_per_day,
        },
        "recall": {
            **_rate(recall(done.attacks)),
            "not_judged": len(not_judged(done.attacks)),
            "failed": sum(bool(attack.label.failure) for attack in done.attacks),
        },
        "found_at_fpr": {f"{rate:.2f}": found_at(done.attacks).get(rate) for rate in RATES},
        "attacks": [_attack(attack) for attack in done.attacks],
        "labels": done.unmatched.as_dict(),
        "programs": [_program(program) for program in programs_judged(judged, done.labels)],
    }


def not_judged(attacks: Sequence[AttackFound]) -> list[AttackFound]:
    """Visible attacks that were done, and could be neither found nor missed."""
    return [attack for attack in attacks if attack.label.counts and not attack.judged]


def found_word(attack: AttackFound) -> str:
    """Say in a word or two whether an attack was found."""
    if attack.label.failure:
        return "failed"
    if not attack.judged:
        return "not judged"
    if attack.found:
        return "yes"
    return "no" if attack.label.visible else "invisible"


def delays(attacks: Sequence[AttackFound]) -> list[float]:
    """Seconds to each attack that was found, of those that recall speaks of."""
    return [a.delay_s for a in attacks if a.counts and a.delay_s is not None]


def why_not_judged(attacks: Sequence[AttackFound]) -> str:
    """Say how many attacks were not judged, and for lack of what; empty for none."""
    lacking = Counter(attack.lacks for attack in not_judged(attacks))
    said = ", ".join(
        f"{count:,} without {what}" if len(lacking) > 1 else f"without {what}"
        for what, count in lacking.items()
    )
    return f"{lacking.total():,} not judged: {said}" if lacking else ""


def after(seconds: float | None) -> str:
    """Write how long it took to find an attack; empty where it was not found."""
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 100 else format_duration(seconds)


def hosts_of(done: Evaluation, attack: AttackFound) -> str:
    """Name the hosts of an attack."""
    return ", ".join(done.hosts.get(host, host) for host in attack.hosts)


def false_alerts(done: Evaluation) -> Rate:
    """Count false alerts a host-day."""
    return per_day(done.false_alerts, done.host_days)


def returned(done: Evaluation) -> str:
    """Say how often an earlier alert came back, which is no episode more; empty for never."""
    if not done.false_returns:
        return ""
    return f"and {counted(done.false_returns, 'time')} one came back as an update (alerts.cooldown)"


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
        "host": attack.hosts[0] if len(attack.hosts) == 1 else None,
        "program": label.program or None,
        "pid": label.pid,
        "technique": label.technique or None,
        "visible": label.visible,
        "failure": label.failure or None,
        "start": iso(label.start_ns),
        "end": iso(label.end_ns),
        "windows": attack.windows,
        "windows_with_baseline": attack.known,
        "judged": attack.judged,
        "p_value": attack.p_value if attack.judged else None,
        "found": attack.found if attack.judged and not label.failure else None,
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
        "attacks_not_judged": judged.not_judged,
    }


def table(done: Evaluation, split: str, results: dict[str, Result]) -> Iterator[str]:
    """Lay everything out for people."""
    yield from _head(done, split)
    yield from labels(done)
    if results:
        yield ""
        yield from _separation(results)
    promises = kept(done.judged)
    if promises:
        yield ""
        yield from _promises(promises)
    for said in caveats(results, promises, done.barely_met):
        yield from ("", *wrap(said, 80))
    yield ""
    yield from _alerts(done)
    if done.attacks:
        yield ""
        yield from _attacks(done)
    yield ""
    yield from _programs(programs_judged(done.judged, done.labels))


def _head(done: Evaluation, split: str) -> Iterator[str]:
    judged = done.judged
    learned = f"learned from {what_was_learned(done)}, " if done.learned else ""
    span = format_duration(max(done.host_days * 86400, 1))
    head = f"{split}: {learned}judged {len(judged):,} over {span}"
    yield from wrap(head, 80, subsequent_indent="  ")
    yield from what_was_judged(done)


def what_was_learned(done: Evaluation) -> str:
    """Count the windows learned from, as those that are judged: each once."""
    models = len(done.models)
    once = f" (each counted once, in {models} models)" if models > 1 else ""
    return counted(done.learned, "window") + once


def what_was_judged(done: Evaluation) -> Iterator[str]:
    """Say how many windows the figures are of, and how many were passed over, and why."""
    judged = done.judged
    if done.barely_met:
        yield from _how_judged(done.barely_met, len(done.models))
    behind = _left_behind(done)
    or_failed = " or of what failed" if judged.failed else ""
    and_behind = f", {behind:,} of what they left behind{or_failed}" if behind else ""
    yield (
        f"{int(judged.clean.sum()):,} clean and {int(judged.attacked.sum()):,} of attacks"
        f"{and_behind}"
    )
    # Whoever is judged so was met: of an unknown window only the binary is another.
    unknown = "of a binary that was not met" if done.barely_met else "without a baseline"
    others = (
        (int((~judged.known).sum()), unknown),
        (_unsettled(done), "of programs that may not alert yet"),
    )
    if said := " and ".join(f"{count:,} {why}" for count, why in others if count):
        yield f"{said}, not judged"
    if done.left_out:
        left_out = counted(done.left_out, "window")
        yield f"{left_out} in, across or just after the learned time left out"


def _how_judged(met: BarelyMet, models: int) -> Iterator[str]:
    """Say how many programs were judged that were barely met, and by whom."""
    first = f"the first {met.few} windows"
    yield f"{models} models: each judged programs of which it learned {first} only"
    others = (
        (met.unvouched, f"not judged (fewer than {PROGRAMS_FOR_TRANSFER} others vouch)"),
        (met.unknown, "of another binary later, not judged"),
    )
    said = [f"{met.by_like:,} judged by programs like them"]
    said += [f"{count:,} {why}" for count, why in others if count]
    yield f"{counted(met.programs, 'program')}: {', '.join(said)}"
    if met.least_p is not None:
        alerts = f"alerts are from {met.alerts_from:.1e}"
        yield f"{met.least_p:.2g} is the least p of a clean window, {alerts}"


def _unsettled(done: Evaluation) -> int:
    """Count windows of programs with a baseline that is not settled enough to alert."""
    return int((done.judged.known & ~done.judged.ready).sum())


def _left_behind(done: Evaluation) -> int:
    """Count windows just after an attack, where it was done, and of what failed."""
    judged = done.judged
    return int((judged.ready & ~judged.clean & ~judged.attacked).sum())


def labels(done: Evaluation) -> Iterator[str]:
    """Say which labels met nothing; no line where all did."""
    for i, sentence in enumerate(sentences(done.unmatched, done.judged.programs)):
        first = f"{'labels' if i == 0 else '':14}"
        yield from wrap(sentence, 80, initial_indent=first, subsequent_indent=" " * 14)


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
    yield f"{'  promised':12}" + "".join(f"{share(row.promised):>16}" for row in shown)
    yield f"{'  came':12}" + "".join(f"{share(row.realised):>16}" for row in shown)
    yield f"{'  range':12}" + "".join(f"{_range(row.between):>16}" for row in shown)
    varied = [row.varied for row in shown if row.varied is not None]
    if varied:
        yield f"{'  varied':12}" + "".join(f"{share(part):>16}" for part in varied)
        yield f"varied: without programs of which {ALIKE:.0%} of windows or more are alike"


def _alerts(done: Evaluation) -> Iterator[str]:
    between = false_alerts(done).between
    span = format_duration(max(done.host_days * 86400, 1))
    yield (
        f"false alerts  {counted(done.false_alerts, 'episode')} in {span} of hosts: from "
        f"{number(between.low)} to {number(between.high)}"
    )
    yield f"{'':14}a day would be no surprise; the budget is {Budget.of_day(done.budget_per_day)}"
    yield from wrap(returned(done), 80, initial_indent=" " * 14, subsequent_indent=" " * 14)
    if done.attacks:
        yield from _recall(done.attacks)


def _recall(attacks: list[AttackFound]) -> Iterator[str]:
    found, without = recall(attacks), why_not_judged(attacks)
    if found.of:
        seconds = delays(attacks)
        soon = f", half of them within {after(median(seconds))}" if seconds else ""
        yield f"attacks       {found.count} of {found.of:.0f} found{soon}"
        at = ", ".join(f"{part:.0%}" for part in found_at(attacks).values())
        yield f"{'':14}at 1, 5, 10 % of clean windows reported: {at}"
    if without:
        yield f"{'' if found.of else 'attacks':14}{without}"
    if failed := sum(bool(attack.label.failure) for attack in attacks):
        were = "was" if failed == 1 else "were"
        first = "" if found.of or without else "attacks"
        yield f"{first:14}{failed:,} {were} not done to the end: neither found nor missed"


def _attacks(done: Evaluation) -> Iterator[str]:
    many = len(done.hosts) > 1
    host = f"{'host':14}" if many else ""
    width = 35 - len(host)
    yield (
        f"{'attack':{width}}{host}{'windows':>8}{'least p':>9}{'found':>11}{'after':>8}{'needs':>9}"
    )
    for attack in done.attacks:
        name = fitted(attack.label.name, width - 1)
        host = f"{fitted(hosts_of(done, attack), 13):14}" if many else ""
        needs = "" if attack.needs is None else share(attack.needs)
        least = f"{attack.p_value:.1e}" if attack.judged else ""
        yield (
            f"{name:{width}}{host}{attack.windows:>8,}{least:>9}{found_word(attack):>11}"
            f"{after(attack.delay_s):>8}{needs:>9}"
        )
    for attack in done.attacks:
        if attack.label.failure:
            said = f"{attack.label.name} failed: {clean(' '.join(attack.label.failure.split()))}"
            yield from wrap(said, 80, subsequent_indent="  ")
    if any(attack.needs is not None for attack in done.attacks):
        yield "needs: clean windows that a threshold low enough for it would report"


def _programs(programs: list[ProgramJudged]) -> Iterator[str]:
    names = shortened([judged.program for judged in programs], 24)
    yield (
        f"{'program':26}{'windows':>9}{'baseline':>10}{'p <= 5 %':>10}{'alerting':>10}"
        f"{'attacks':>12}"
    )
    for name, one in list(zip(names, programs, strict=True))[:_ROWS]:
        at_five = "" if one.at_five is None else share(one.at_five)
        attacks = attacks_in(one)
        yield (
            f"{name:26}{one.windows:>9,}{one.known:>10.0%}{at_five:>10}{one.alerting:>10,}"
            f"{attacks:>12}"
        )
    if len(programs) > _ROWS:
        yield f"and {len(programs) - _ROWS} more"


def attacks_in(program: ProgramJudged) -> str:
    """Say how many of a program's attacks were found; empty where there were none."""
    if program.attacks:
        return f"{program.found} of {program.attacks}"
    return "not judged" if program.not_judged else ""


def _range(between: Interval) -> str:
    # Where none came, none comes however it is drawn again: that is no range.
    return f"{100 * between.low:.2g} to {100 * between.high:.2g}" if between.high else "-"
