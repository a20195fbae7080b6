"""An alert as a person reads it on a terminal: one sentence, who, what was odd, the evidence."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import click

from oddcall.service.alert import Alert
from oddcall.service.quantities import format_duration

_COLOUR = {"low": "cyan", "medium": "yellow", "high": "red", "critical": "bright_red"}
_FEATURES = 5
_BASELINE = {
    "program": "its own baseline",
    "predecessor": "the baseline of the binary it replaced",
    "similar": "programs like it, for want of a baseline of its own",
    "host": "the whole host, for want of a baseline of its own",
    "unknown": "no baseline",
}


def render(alert: Alert, *, width: int = 80, colour: bool = False) -> str:
    """Lay an alert out as lines of at most ``width`` columns, without a trailing newline."""
    lines = _close(alert, width) if alert["state"] == "close" else _whole(alert, width)
    return "\n".join(_styled(kind, line, alert) if colour else line for kind, line in lines)


def clean(text: object) -> str:
    """Escape what a terminal would act on: names and arguments are chosen by attackers."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


_Line = tuple[str, str]


def _whole(alert: Alert, width: int) -> Iterator[_Line]:
    yield "head", _head(alert)
    yield from _wrapped("sentence", clean(alert["explanation"]["sentence"]), "  ", width)
    yield "", ""
    yield from _process(alert, width)
    yield from _features(alert, width)
    yield from _evidence(alert, width)
    for hint in alert["attack_hints"]:
        text = f"consistent with {hint['technique']}: {clean(hint['why'])}"
        yield from _labelled("hint", text, width)
    yield "", ""


def _close(alert: Alert, width: int) -> Iterator[_Line]:
    span = _span_s(alert["explanation"]["onset"], alert["time"])
    text = f"{_head(alert)}: over after {format_duration(max(span, 1))}"
    yield from _wrapped("quiet", text, "", width)
    yield "", ""


def _head(alert: Alert) -> str:
    state = {"open": "", "update": " (still)", "close": ""}[alert["state"]]
    program = alert["program"]
    name = clean(program["exe"].rsplit("/", 1)[-1] or program["comm"])
    return f"{_clock(alert['time'])}  {alert['severity'].upper()}  {name}{state}"


def _process(alert: Alert, width: int) -> Iterator[_Line]:
    process, program = alert["process"], alert["program"]
    parent = f"{clean(process['parent'])} {process['ppid']}" if process["parent"] else ""
    who = f"{clean(program['exe']) or clean(program['comm'])}, pid {process['pid']}"
    who += f", user {process['uid']}, started by {parent or process['ppid']}"
    yield from _labelled("process", who, width)
    if process["cmdline"]:
        yield from _labelled("", textwrap.shorten(clean(process["cmdline"]), 2 * width - 30), width)
    place = [f"unit {program['unit']}" if program["unit"] else ""]
    place.append(f"container {program['container'][:12]}" if program["container"] else "")
    if any(place):
        yield from _labelled("", clean(", ".join(filter(None, place))), width)


def _features(alert: Alert, width: int) -> Iterator[_Line]:
    top = alert["explanation"]["top"][:_FEATURES]
    if not top:
        return
    names = [clean(feature["feature"]) for feature in top]
    room = min(max(map(len, names)), width - 46)
    yield "", ""
    yield "table", f"  {'unusual':<10}{'':<{room}}  {'observed':>10}   {'typical (5 to 95 %)':>20}"
    for name, feature in zip(names, top, strict=True):
        typical = feature["typical"]
        between = f"{_number(typical['q05'])} to {_number(typical['q95'])}"
        short = name if len(name) <= room else name[: room - 1] + "…"
        observed = _number(feature["observed"])
        yield "", f"  {'':<10}{short:<{room}}  {observed:>10}   {between:>20}"


def _evidence(alert: Alert, width: int) -> Iterator[_Line]:
    score, window, coverage = alert["score"], alert["window"], alert["coverage"]
    baseline = alert["baseline"]
    yield "", ""
    seen = f"{window['events']:,} calls in {format_duration(coverage['observed_s'])}"
    odds = f"p = {score['p_value']:.1e}, alerts below {score['threshold']:.1e}"
    if score["extrapolated"]:
        odds += " (extrapolated past the calibration)"
    yield from _labelled("evidence", f"{seen}; {odds}", width)
    against = f"against {_BASELINE[baseline['level']]}"
    if baseline["windows"]:
        against += f" of {baseline['windows']:,} windows"
    lost = coverage["lost"] + coverage["lost_keys"]
    whole = "nothing lost" if not lost else f"{lost:,} updates of the host lost meanwhile"
    yield from _labelled("", f"{against}; {whole}", width)
    if alert["suppressed_since_last"]:
        folded = alert["suppressed_since_last"]
        yield from _labelled("", f"{folded} more windows like it since the last line", width)
    yield from _labelled("id", alert["id"], width)


def _labelled(label: str, text: str, width: int) -> Iterator[_Line]:
    lines = textwrap.wrap(text, width - 12, break_long_words=True) or [""]
    for i, line in enumerate(lines):
        yield "label", f"  {'' if i else label:<10}{line}"


def _wrapped(kind: str, text: str, indent: str, width: int) -> Iterator[_Line]:
    for line in textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent):
        yield kind, line


def _number(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _clock(time: str) -> str:
    return time[11:19]


def _span_s(start: str, end: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _styled(kind: str, line: str, alert: Alert) -> str:
    if kind == "head":
        return click.style(line, fg=_COLOUR[alert["severity"]], bold=True)
    if kind == "sentence":
        return click.style(line, bold=True)
    if kind in {"table", "quiet"}:
        return click.style(line, dim=True)
    if kind == "label":
        return click.style(line[:12], dim=True) + line[12:]
    return line
