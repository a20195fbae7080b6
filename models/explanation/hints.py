"""Hints at MITRE ATT&CK techniques: what an unusual window is *consistent with*, never proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oddcall.models.explanation.observation import Call
from oddcall.models.explanation.rule import Rule
from oddcall.models.explanation.techniques import RULES
from oddcall.models.verdict import JUDGED_BY

#: By whom a new call was never made, where it is not the program itself that is known.
_NEVER = {"similar": f"by {JUDGED_BY['similar']}"}


@dataclass(frozen=True, slots=True)
class Hint:
    """One technique that the window is consistent with.

    Attributes
    ----------
    technique : str
        ATT&CK identifier: ``"T1055.008"``.
    why : str
        The technique's name, the counts that support it, and how they do.
    calls : tuple of str
        Names of the calls that support it.
    """

    technique: str
    why: str
    calls: tuple[str, ...] = ()


def hints(made: Sequence[Call], level: str = "program") -> list[Hint]:
    """Techniques that a window's calls are consistent with, in the order of ``RULES``, each once.

    Parameters
    ----------
    made : sequence of Call
        The window's calls beside their baseline (``Observation.calls``).
    level : str, default "program"
        Whose baseline it is (``verdict.LEVELS``).
    """
    found: dict[str, Hint] = {}
    for rule in RULES:
        met = [need.met_by(made) for need in rule.needs]
        if all(met) and rule.unless not in found:
            support = list(dict.fromkeys(call for calls in met for call in calls))
            found.setdefault(rule.technique, _hint(rule, support, _NEVER.get(level, "before")))
    return list(found.values())


def _hint(rule: Rule, support: list[Call], never: str) -> Hint:
    counts = ", ".join(_counted(call, never) for call in support)
    why = f"Consistent with {rule.title}: {counts}; {rule.reason}."
    return Hint(rule.technique, why, tuple(call.name for call in support))


def _counted(call: Call, never: str) -> str:
    said = f"{call.count:,} {call.name}"
    if call.failing:
        said += f" ({call.failed:,} failing)"
    return f"{said}, never made {never}" if call.novel else said
