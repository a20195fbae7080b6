"""The page of ``evaluate traces --html``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from oddcall.models.storage import write_whole
from oddcall.service.evaluation.traces_caveats import caveats, how_read, warnings
from oddcall.service.evaluation.traces_text import range_is, role, set_name
from oddcall.service.quantities import counted
from oddcall.training.figures import RATES, Result
from oddcall.training.report.drawing import percent
from oddcall.training.report.page import (
    Tile,
    caveat,
    heading,
    page,
    remark,
    table,
    tiles,
)
from oddcall.training.report.separation import separation
from oddcall.training.report.tables import share
from oddcall.training.traces.detectors.views import MEMBERS
from oddcall.training.traces.detectors.windows import Windows
from oddcall.training.traces.traces import Split

if TYPE_CHECKING:
    from oddcall.training.traces.attack_kinds import Kind

#: Ours besides the default: its parts, and the live one. What others do is drawn before them.
_BEHIND = (*(member.name for member in MEMBERS), Windows.name)


def write(
    path: Path,
    splits: Sequence[Split],
    results: Mapping[str, Result],
    kinds: Mapping[str, Mapping[str, Kind]],
    default: str,
    named: Sequence[str] = (),
) -> None:
    """Write the page; ``named`` are the detectors that were asked for.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    split, many = splits[0], len(splits) > 1
    lead = (
        f"Learned from {counted(len(split.train), 'trace')}, judged {len(split.normal):,} normal "
        f"and {counted(len(split.attack), 'attack')}"
        + (f"; mean of {len(splits)} splits, curves of the first." if many else ".")
    )
    ordered = {name: results[name] for name in _from_front(results, default)}
    body = [
        *(remark(line[:1].upper() + line[1:]) for line in how_read(split)),
        tiles(_tiles(ordered[default], default)),
        *(caveat(f"Warning: {text}.") for text in warnings(split, named)),
        *map(caveat, caveats(split, ordered[default], default)),
        *separation(
            ordered,
            unit="traces",
            title="Attacks against normal traces",
            lead=f"One score a trace; {role(default)} is {default}. {range_is(splits)} The marks "
            "at 1, 5 and 10 % are its ranges. The table's last columns are at the threshold that "
            "each detector chose for 5 % from its own held-out scores.",
        ),
        *_kinds(kinds.get(default, {}), default),
    ]
    text = page(f"Detectors on {set_name(splits)}", lead, body, f"oddcall {version('oddcall')}")
    write_whole(path, text.encode())


def _from_front(names: Iterable[str], default: str) -> list[str]:
    """Order detectors, in the plots and in the table: the default, its rivals, its parts."""
    return sorted(names, key=lambda name: (name != default, name in _BEHIND))


def _tiles(best: Result, default: str) -> Iterator[Tile]:
    for name, value, key in (
        ("AUC", best.auc, "auc"),
        *((f"found at {percent(rate)}", best.detected.get(rate), f"{rate:.2f}") for rate in RATES),
    ):
        between = best.intervals.get(key)
        about = f"{between.low:.2f} to {between.high:.2f}" if between else default
        yield Tile(name, share(value), "too few to tell" if value is None else about)
    yield Tile("promised 5 %, came", percent(best.fpr), f"{percent(best.found)} of attacks found")


def _kinds(kinds: Mapping[str, Kind], default: str) -> Iterator[str]:
    if not kinds:
        return
    yield heading("Kinds of attack", f"What {default} makes of each.")
    yield table(
        ("kind", "traces", "AUC", "found at 1 %", "at 5 %", "at 10 %", "own threshold"),
        [
            (
                name,
                f"{kind.count:,}",
                f"{kind.auc:.3f}",
                *(percent(kind.detected[r]) if r in kind.detected else "-" for r in RATES),
                percent(kind.found),
            )
            for name, kind in sorted(kinds.items(), key=lambda item: -item[1].auc)
        ],
    )
