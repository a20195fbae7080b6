"""Names of programs as a table or a line has room for them."""

from __future__ import annotations

from collections.abc import Sequence

from oddcall.models.naming import told_apart
from oddcall.models.window import Program
from oddcall.service.alerts.text import clean


def shortened(programs: Sequence[Program], width: int = 28) -> list[str]:
    """Name programs for a table: told apart, safe to print, and no wider than so many columns."""
    names = told_apart(set(programs))
    shown = {program: fitted(name, width) for program, name in names.items()}
    alike: dict[str, list[Program]] = {}
    for program, name in shown.items():
        alike.setdefault(name, []).append(program)
    for group in alike.values():
        if len(group) > 1:
            cut = _cut_apart([clean(names[program]) for program in group], width)
            shown |= zip(group, cut, strict=True)
    return [shown[program] for program in programs]


def _cut_apart(names: Sequence[str], width: int) -> list[str]:
    """Cut names that are too wide where they differ, as near to their ends as tells them apart."""
    lead = width // 3
    rest = width - lead - 1
    for begin in range(max(map(len, names)), lead - 1, -1):
        cut = [_once(f"{name[:lead]}…{name[begin : begin + rest]}") for name in names]
        if len(set(cut)) == len(names):
            return cut
    return [fitted(name, width) for name in names]


def fitted(name: str, width: int) -> str:
    """Make a name safe to print; of one that is too wide the middle is left out."""
    shown = clean(name)
    if len(shown) <= width:
        return shown
    end = (width - 1) // 2
    return _once(f"{shown[: width - 1 - end]}…{shown[-end:]}")


def _once(cut: str) -> str:
    """Leave one sign where what was left out before lies beside what is left out now."""
    for twice in ("…/…", "……"):
        cut = cut.replace(twice, "…")
    return cut
