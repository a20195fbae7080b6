"""Names of programs as a table or a line has room for them."""

from __future__ import annotations

from collections.abc import Sequence

from oddcall.models.naming import told_apart
from oddcall.models.window import Program
from oddcall.service.alerts.text import clean


def shortened(programs: Sequence[Program], width: int = 28) -> list[str]:
    """Name programs for a table: told apart, safe to print, and no wider than so many columns."""
    names = told_apart(set(programs))
    return [fitted(names[program], width) for program in programs]


def fitted(name: str, width: int) -> str:
    """Make a name safe to print; of one that is too wide the middle is left out."""
    shown = clean(name)
    if len(shown) <= width:
        return shown
    end = (width - 1) // 2
    return f"{shown[: width - 1 - end]}…{shown[-end:]}"
