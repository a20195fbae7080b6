"""Lines of alerts folded into episodes: one entry for one behaviour, as lists show it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.past import by_episode, telling
from oddcall.service.alerts.severity import LEVELS

Json = dict[str, Any]


def folded(lines: Iterable[Alert]) -> list[Json]:
    """Fold lines, in any order, into episodes, the one that changed last first."""
    episodes = [_episode(group) for group in by_episode(lines)]
    return sorted(episodes, key=lambda episode: str(episode["last"]), reverse=True)


def _oddness(line: Alert) -> tuple[float, str, bool]:
    # A close repeats the oddest window of its episode.
    return line["score"]["p_value"], line["time"], line["state"] == "close"


def _also(lines: list[Alert], worst: Alert) -> list[str]:
    """Give the sentences of its other kinds of behaviour than the worst line's, latest first."""
    said = worst["explanation"]["sentence"]
    told = telling(sorted(lines, key=lambda line: (line["time"], line["state"] == "close")))
    return [
        sentence for line in reversed(told) if (sentence := line["explanation"]["sentence"]) != said
    ]


def _episode(lines: list[Alert]) -> Json:
    worst = min(lines, key=_oddness)
    last = max(lines, key=lambda line: (line["time"], line["state"] == "close"))
    # An episode is of who opened it, whoever of its family was the oddest.
    first = min(lines, key=lambda line: (line["id"] != line["episode_id"], line["time"]))
    gravest = max((line["severity"] for line in lines), key=LEVELS.index)
    onsets = [line["explanation"]["onset"] for line in lines]
    program = first["program"]
    return {
        "id": worst["episode_id"],
        "state": "closed" if last["state"] == "close" else "open",
        "severity": gravest,
        # Each return has an onset of its own.
        "onset": min(onsets),
        "back": max(onsets),
        "last": last["time"],
        "name": program["exe"].rsplit("/", 1)[-1] or program["comm"] or "unknown program",
        "exe": program["exe"],
        "unit": program["unit"],
        "container": program["container"],
        "pid": first["process"]["pid"],
        "worst": worst["id"],
        "sentence": worst["explanation"]["sentence"],
        "p_value": worst["score"]["p_value"],
        "also": _also(lines, worst),
        "hints": sorted({hint["technique"] for line in lines for hint in line["attack_hints"]}),
        "lines": len(lines),
        "returns": last.get("returns", 0),
    }
