"""What is wrong with the settings of sinks, told without telling a secret."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from oddcall.service.sinks.sections import SECTIONS

_SECRET = {"url", "headers", "token"}


def mistake(problem: Mapping[str, Any], source: str) -> str:
    """Tell one problem that pydantic found below ``sinks``.

    Parameters
    ----------
    problem : one of ``ValidationError.errors()``.
    source : where the settings came from.
    """
    _, *where = problem["loc"]
    if not where:
        return f"sinks ({source}): expected {_allowed(problem)}"
    number, *within = where
    # The type stands between the number and the option, where there is one.
    kind, *option = [str(part) for part in within if part != "[key]"] or [""]
    named = f" ({kind})" if kind else ""
    place = f"sink {number + 1}{named}{' ' * bool(option)}{'.'.join(option)} ({source})"
    if problem["type"] == "extra_forbidden":
        return f"{place}: no such setting{_nearest(kind, option[-1])}"
    if problem["type"] == "missing":
        about = SECTIONS[kind].model_fields[option[0]].description
        return f"{place}: it is missing ({about})"
    if not kind:
        given = problem["input"].get("type") if isinstance(problem["input"], dict) else None
        got = f", got {given!r}" if given is not None else ""
        return f"{place}: expected as type one of {', '.join(SECTIONS)}{got}"
    got = "" if _SECRET & set(option) or not option else f", got {problem['input']!r}"
    return f"{place}: expected {_allowed(problem)}{got}"


def _allowed(problem: Mapping[str, Any]) -> str:
    if "error" in problem.get("ctx", {}):
        return str(problem["ctx"]["error"])
    return "a table" if "dict" in problem["type"] or "model" in problem["type"] else problem["msg"]


def _nearest(kind: str, name: str) -> str:
    close = difflib.get_close_matches(name, list(SECTIONS[kind].model_fields), 1)
    return f" (did you mean {close[0]}?)" if close else ""
