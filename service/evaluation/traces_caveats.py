"""What to know of figures of traces: how they were read, and what bounds what they promise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from oddcall.service.naming import fitted
from oddcall.service.quantities import counted

if TYPE_CHECKING:
    from oddcall.training.figures import Result
    from oddcall.training.traces.traces import Labelled, Split, TraceSet

#: More false positives than this many times the promised ones are told of, where chance makes as
#: many in less than that part of the cases. It is also what a bound on what is missed leaves.
_TOO_MANY, _DOUBT = 1.5, 0.05
#: Fewer attacks say little of others.
_FEW_ATTACKS = 20
#: Part of the calls in attacks that, in no clean trace, is more than attacks do.
_STRANGE = 0.5
#: Labels of one meaning that are named, and columns of each.
_LABELS, _WIDTH = 6, 24
#: Width of the name of a file that was left out.
_PATH = 60
#: What a label is taken for, and how that is called.
MEANINGS = {False: "normal", True: "attack", None: "no label"}


def how_read(split: Split) -> Iterator[str]:
    """Say what was taken for a trace, what its label for, and what for none."""
    from oddcall.training.traces.parsing.layouts import LAYOUTS

    parts = _parts(split)
    ways = {flag: traces.read_as for flag, traces in parts.items() if traces.read_as}
    said = {flag: ", ".join(LAYOUTS[way] for way in how) for flag, how in ways.items()}
    if len(set(said.values())) == 1:
        yield f"read as: {next(iter(said.values()))}"
    else:
        yield from (f"read as: {how} ({flag})" for flag, how in said.items())
    for key in dict.fromkeys(key for traces in parts.values() for key in traces.keys):
        yield f"processes: told apart by {' and '.join(fitted(name, _WIDTH) for name in key)}"
    if split.labelled:
        yield f"labels: {_meant(split.labelled)}"
    if split.held_out:
        yield "normal: held out of --train, copies of a trace together"
    if empty := sum(traces.empty for traces in parts.values()):
        yield f"empty: {counted(empty, 'file')} without a call, left out"
    if twice := sum(traces.twice for traces in parts.values()):
        yield f"left out: {counted(twice, 'packed file')}, there unpacked or in an archive as well"
    if links := sum(traces.links for traces in parts.values()):
        yield f"left out: {counted(links, 'link')} in archives, to no file in them"
    if lists := [name for traces in parts.values() for name in traces.lists]:
        shown = fitted(lists[0], _PATH) + (f" and {len(lists) - 1} more" if lists[1:] else "")
        yield f"left out: {shown}: names of the calls that there are, and no trace"
    if damaged := [why for traces in parts.values() for why in traces.damaged]:
        first = "" if len(damaged) == 1 else "the first: "
        yield f"damaged: {counted(len(damaged), 'recording')} left out; {first}{damaged[0]}"


def _parts(split: Split) -> dict[str, TraceSet]:
    return {"--train": split.train, "--normal": split.normal, "--attack": split.attack}


def warnings(split: Split, named: Sequence[str]) -> Iterator[str]:
    """Say what was not read or not run; ``named`` are the detectors that were asked for."""
    from oddcall.training.traces.evaluation import left_out
    from oddcall.training.traces.parsing.tokens import numbers_among_names, unknown_names
    from oddcall.training.traces.traces import MOST_CALLS, MOST_CALLS_OF_SET

    if strange := unknown_names(split.train.vocabulary):
        shown = ", ".join(strange[:5]) + (", ..." if len(strange) > 5 else "")
        yield f"no kernel has {shown}: taken as calls of their own"
    for flag, traces in _parts(split).items():
        count, first = numbers_among_names(traces)
        if count:
            are = "call is a number" if count == 1 else "calls are numbers"
            yield (
                f"{flag}: {count:,} {are} among names, taken as no call that has a name; "
                f"{'the first ' if count > 1 else ''}in {first}"
            )
    for name, least in left_out(split.train).items() if not named else ():
        yield (
            f"{name} is left out: it learns from {least} traces or more, and there"
            f" {'is' if len(split.train) == 1 else 'are'} {len(split.train)}"
        )
    for what, traces in (
        ("to learn from", split.train),
        ("normal", split.normal),
        ("attack", split.attack),
    ):
        if traces.unread:
            were, not_read = ("was" if n == 1 else "were" for n in (len(traces), traces.unread))
            yield (
                f"of the traces {what} {len(traces):,} {were} read, a sample, and"
                f" {counted(traces.unread, 'file')} {not_read} not: a set is held to"
                f" {MOST_CALLS_OF_SET:,} calls"
            )
        if traces.partly:
            yield (
                f"of {counted(traces.partly, 'file')} with traces {what} only the first"
                f" {MOST_CALLS_OF_SET:,} calls were read"
            )
        if traces.cut:
            yield (
                f"of {counted(traces.cut, 'trace')} {what} only the first {MOST_CALLS:,} calls"
                " were read"
            )


def caveats(split: Split, result: Result, default: str) -> Iterator[str]:
    """Say what bounds the figures of ``default``: few traces, copies, other calls, a promise."""
    yield from _few(split)
    yield from _copied(split)
    yield from _strange(split)
    yield from _told_by_ends(split)
    yield from _kept(split, result, default)


def _few(split: Split) -> Iterator[str]:
    """Say what so few traces cannot tell."""
    from oddcall.training.figures import RATES, tells
    from oddcall.training.traces.detectors.detector import firsts

    normal, attack = (int(firsts(part).sum()) for part in (split.normal, split.attack))
    if untold := [f"{100 * rate:.0f} %" for rate in RATES if not tells(normal, rate)]:
        rates = " or ".join(filter(None, (", ".join(untold[:-1]), untold[-1])))
        yield (
            f"{_distinct(normal, 'normal trace', split.normal)} cannot tell {rates}:"
            f" one false positive is {100 / normal:.3g} % of them."
        )
    if attack < _FEW_ATTACKS:
        missed = 1 - _DOUBT ** (1 / attack)
        yield (
            f"Only {_distinct(attack, 'attack', split.attack)} to find: if"
            f" {'it is' if attack == 1 else 'all are'} found, up to"
            f" {100 * missed:.0f} % of others like them may be missed (at 95 % confidence)."
        )


def _distinct(different: int, noun: str, traces: TraceSet) -> str:
    """Count traces, and say so where that leaves out copies: ``"8 different attacks"``."""
    return counted(different, noun if different == len(traces) else f"different {noun}")


def _copied(split: Split) -> Iterator[str]:
    """Say how much of what is judged was learned from, word for word."""
    from oddcall.training.traces.traces import copies

    for noun, traces in (("normal trace", split.normal), ("attack", split.attack)):
        many, same = len(traces), copies(traces, split.train)
        if 0 < same == many:
            yield (
                f"Of {counted(many, noun)} all are copies of traces that were learned from: what"
                " was learned is no test."
            )
        elif same:
            are = "is a copy" if same == 1 else "are copies"
            yield f"Of {counted(many, noun)} {same:,} {are} of traces that were learned from."


def _strange(split: Split) -> Iterator[str]:
    """Say where most calls of attacks are in no clean trace: numbers of another system are so."""
    import numpy as np

    clean = np.union1d(split.train.calls, split.normal.calls)
    part = float(np.mean(~np.isin(split.attack.calls, clean)))
    if part > _STRANGE and len(split.attack) >= _FEW_ATTACKS:
        yield (
            f"Of the calls in attacks {100 * part:.0f} % are in no clean trace, which tells the"
            " attacks by itself. If both are not of one architecture and one tracer the figures say"
            " nothing."
        )


def _told_by_ends(split: Split) -> Iterator[str]:
    """Say where the first or the last call tells attacks: a label beside the calls does so."""
    from oddcall.training.traces.parsing.columns import listed
    from oddcall.training.traces.parsing.ends import telling_ends

    for which, normal, attack in telling_ends(split):
        yield (
            f"The {which} call of every normal trace is {normal}, and of attacks {listed(attack)},"
            " which tells the attacks by itself. If that is a label, or how each was recorded, the"
            " figures say nothing."
        )


def _kept(split: Split, result: Result, default: str) -> Iterator[str]:
    """Say so where nothing was promised, or the promise was not kept."""
    from oddcall.training.figures import chance_of
    from oddcall.training.traces.detectors.detector import firsts

    learned, least = int(firsts(split.train).sum()), round(1 / result.target) - 1
    promised = f"{100 * result.target:.0f} %"
    if learned < least:
        yield (
            f"Only {counted(learned, 'different trace')} to learn from: with fewer than {least}"
            f" no threshold can promise {promised}."
        )
        return
    different = result.normal[firsts(split.normal)]
    false = int((different > result.threshold).sum())
    by_chance = chance_of(false, len(different), learned, result.target)
    if result.fpr <= _TOO_MANY * result.target:
        return
    above = f"Of the normal traces {100 * result.fpr:.1f} % lie above {default}'s own threshold for"
    if by_chance < _DOUBT:
        yield (
            f"{above} {promised}, more than chance explains. It holds for traces like those learned"
            " from: these are of other programs or of other work."
        )
    else:
        yield (
            f"{above} {promised}: {false:,} of {len(different):,} that differ, and chance makes as"
            f" many in {100 * by_chance:.0f} of 100 cases."
        )


def _meant(labels: Sequence[Labelled]) -> str:
    """Write how labels were taken: ``"normal 40 (benign 40), attack 7 (dos 4, safe 3)"``."""
    said = []
    for meaning, name in MEANINGS.items():
        of = [one for one in labels if one.attack is meaning]
        named = [f"{_quoted(one.label)} {one.traces:,}" for one in of if one.label]
        if len(named) > _LABELS:
            named[_LABELS:] = [f"{len(named) - _LABELS:,} more"]
        total = f"{name} {sum(one.traces for one in of):,}"
        said += [f"{total} ({', '.join(named)})" if named else total] if of else []
    return ", ".join(said)


def _quoted(label: str) -> str:
    """Make a label safe to print, with marks where it would not read as a word."""
    shown = fitted(label, _WIDTH)
    return shown if shown.isalpha() else f'"{shown}"'
