"""What ``oddcall evaluate traces`` prints: figures as JSON, and tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from oddcall.service.evaluation.traces_caveats import MEANINGS, caveats, how_read, warnings
from oddcall.service.naming import fitted
from oddcall.service.quantities import counted
from oddcall.training.figures import RATES, written

if TYPE_CHECKING:
    from oddcall.training.figures import Interval, Result
    from oddcall.training.traces.attack_kinds import Kind
    from oddcall.training.traces.traces import Split

    Kinds = dict[str, dict[str, Kind]]


def as_dict(
    splits: Sequence[Split],
    results: dict[str, Result],
    kinds: Kinds,
    default: str,
    named: Sequence[str] = (),
) -> dict[str, object]:
    """Figures with fixed keys under ``detectors``; what came later stands beside it.

    None is what so few traces cannot tell. ``named`` are the detectors that were asked for.
    """
    split = splits[0]
    return {
        "default": default,
        "detectors": {
            name: {
                "auc": result.auc,
                "ap": result.ap,
                "dr_at_fpr": _by_rate(result.detected),
                "chosen": {"target_fpr": result.target, "fpr": result.fpr, "dr": result.found},
            }
            for name, result in results.items()
        },
        "intervals": {
            name: {key: _ends(result.intervals.get(key)) for key in ("auc", *_by_rate({}))}
            for name, result in results.items()
        },
        "attacks": {
            name: {
                kind: {
                    "traces": one.count,
                    "auc": one.auc,
                    "dr_at_fpr": _by_rate(one.detected),
                    "dr": one.found,
                }
                for kind, one in found.items()
            }
            for name, found in kinds.items()
        },
        "traces": [
            {
                "split": split.name,
                "held_out": split.held_out,
                "labels": [
                    {
                        "label": one.label,
                        "taken_for": None if one.attack is None else MEANINGS[one.attack],
                        "traces": one.traces,
                    }
                    for one in split.labelled
                ],
                **{
                    part: {
                        "traces": len(traces),
                        "calls": len(traces.calls),
                        "unread": traces.unread,
                        "cut": traces.cut,
                        "empty": traces.empty,
                        "damaged": list(traces.damaged),
                        "partly": traces.partly,
                        "lists": list(traces.lists),
                        "twice": traces.twice,
                        "links": traces.links,
                        "read_as": list(traces.read_as),
                        "keys": [list(key) for key in traces.keys],
                    }
                    for part, traces in (
                        ("train", split.train),
                        ("normal", split.normal),
                        ("attack", split.attack),
                    )
                },
            }
            for split in splits
        ],
        "read": list(how_read(split)),
        "caveats": [*warnings(split, named), *caveats(split, results[default], default)],
    }


def table(
    splits: Sequence[Split], results: dict[str, Result], kinds: Kinds, default: str
) -> Iterable[str]:
    """Lines for people: every detector, then the default's figures by kind of attack."""
    split, many = splits[0], len(splits) > 1
    learned, normal, attack = len(split.train), len(split.normal), len(split.attack)
    runs = f", mean of {len(splits)} splits" if many else ""
    judged = f"{normal:,} normal, {counted(attack, 'attack')}"
    calls = sum(len(part.calls) for part in (split.train, split.normal, split.attack))
    line = f"{set_name(splits)}: {learned:,} learned from, {judged}; {calls:,} calls{runs}"
    yield from wrap(line, 80, subsequent_indent="  ")
    for line in how_read(split):
        yield from wrap(line, 80, subsequent_indent="  ")
    yield ""
    yield f"{'':37} found at false positives  own threshold"
    yield (
        f"{'detector':19}{'AUC':>5} {'range':>11}{'AP':>6}{'1 %':>7}{'5 %':>6}{'10 %':>6}"
        f"{'false':>8}{'found':>8}"
    )
    for detector, result in results.items():
        spread = result.intervals.get("auc")
        between = f"{spread.low:.3f}-{spread.high:.3f}" if spread else "-"
        one, five, ten = _shares(result.detected)
        marked = detector + "*" * (detector == default)
        yield (
            f"{marked:19}{result.auc:>5.3f} {between:>11}{result.ap:>6.3f}"
            f"{one:>6}{five:>6}{ten:>6}{written(result.fpr):>8}{written(result.found):>8}"
        )
    yield ""
    yield from wrap(f"* {role(default)}. {range_is(splits)}", 80)
    yield "Own threshold: chosen from what was learned, for 5 % false positives."
    for sentence in caveats(split, results[default], default):
        yield from wrap(sentence, 80)
    if kinds.get(default):
        yield ""
        yield from _kind_table(kinds[default], default)


def set_name(splits: Sequence[Split]) -> str:
    """Name what is judged: ``"adfa-ring"`` where the splits are ``"adfa-ring 0"`` and more."""
    name = splits[0].name
    return name.rsplit(" ", 1)[0] if len(splits) > 1 else name


def role(name: str) -> str:
    """Say why a detector stands before the others: it need not be the default."""
    from oddcall.training.traces.evaluation import DEFAULT

    return "the default" if name == DEFAULT else "the first that was named"


def range_is(splits: Sequence[Split]) -> str:
    """Say what the ranges of the figures are."""
    if len(splits) > 1:
        return f"The range is from the least to the greatest of the {len(splits)} splits."
    by = "by resampling traces, copies together"
    return f"The range is 95 %, {by}; a dash where that changes nothing."


def _kind_table(kinds: dict[str, Kind], default: str) -> Iterable[str]:
    yield f"{default}, by kind of attack"
    yield f"{'kind':24}{'traces':>8}{'AUC':>8}{'1 %':>7}{'5 %':>7}{'10 %':>7}{'found':>9}"
    for name, kind in kinds.items():
        shown = fitted(name, 23)
        one, five, ten = _shares(kind.detected)
        yield (
            f"{shown:24}{kind.count:>8,}{kind.auc:>8.3f}{one:>7}{five:>7}{ten:>7}{kind.found:>9.3f}"
        )


def _by_rate(detected: dict[float, float]) -> dict[str, float | None]:
    return {f"{rate:.2f}": detected.get(rate) for rate in RATES}


def _shares(detected: dict[float, float]) -> list[str]:
    return ["-" if found is None else f"{found:.2f}" for found in _by_rate(detected).values()]


def _ends(span: Interval | None) -> list[float] | None:
    return [span.low, span.high] if span else None
