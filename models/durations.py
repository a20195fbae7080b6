"""Durations as people write them: ``10m``, ``1h30m``."""

from __future__ import annotations

import math
import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``"500ms"``, ``"60s"`` or ``"1h30m"``.

    Raises
    ------
    ValueError
        For anything else, a number without a unit among it.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"not a duration: {text!r}")
    found = float(sum(float(number) * _UNITS[unit] for number, unit in parts))
    if not math.isfinite(found):
        raise ValueError(f"not a duration: {text!r}")
    return found


def format_duration(seconds: float) -> str:
    """Write a duration with at most two units, so that it parses back to about the same."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    whole, said = round(seconds), []
    if seconds < 60 and seconds != whole:
        return f"{seconds:.1f}s".replace(".0s", "s")
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            said.append(f"{count}{unit}")
    return "".join(said[:2]) or "0s"
