"""An alert as a person reads it on a terminal: one sentence, who, what was odd, the evidence."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from oddcall.models.durations import format_duration
from oddcall.models.explanation.explanation import NOTHING_SHARED
from oddcall.models.explanation.sentence import MOST_NAMED
from oddcall.models.naming import told_apart
from oddcall.models.verdict import JUDGED_BY
from oddcall.models.window import Program
from oddcall.service.alerts.alert import Alert, anew, short
from oddcall.service.alerts.notice import is_notice
from oddcall.service.alerts.past import telling
from oddcall.service.quantities import counted

_COLOUR = {"low": "cyan", "medium": "yellow", "high": "red", "critical": "bright_red"}
#: Features of a line: whatever its sentence names is among the first of them.
_FEATURES = MOST_NAMED
#: Lines of an episode that are listed, the latest, beside those that told of something else.
_ROWS = 10
#: Where the text of a labelled line begins.
_LEFT = 11
#: What is said beside whose baseline it is.
_ASIDE = {
    "predecessor": ", the binary that it replaced",
    "similar": ", having no baseline of its own",
    "unknown": ": it has no baseline",
}

#: What a line is, and its text.
_Line = tuple[str, str]


def render(
    alert: Alert, *, width: int = 80, colour: bool = False, beside: Iterable[Program] = ()
) -> str:
    """Lay an alert or a notice out as lines of at most ``width`` columns, the last one empty.

    Parameters
    ----------
    beside : iterable of Program, optional
        As ``program_of`` gives them: the heading tells the alert's program from these.
    """
    forms = {"open": _opened, "update": _updated, "close": _closed}
    if is_notice(alert):
        lines = _noted(alert, width)
    else:
        lines = forms[alert["state"]](alert, width, _name(alert, beside))
    return "\n".join(_styled(kind, line, alert) if colour else line for kind, line in lines)


def explained(alert: Alert) -> str:
    """Lay out all that one line of an alert says, whatever its state: what ``render`` shortens."""
    return "\n".join(line for _, line in _whole(alert, 80))


def summed_up(episode: Mapping[str, Any], lines: Sequence[Alert]) -> str:
    """Lay an episode out as the page has it: how it stands, its least likely window, its lines.

    Parameters
    ----------
    episode : its lines folded into one, as ``oddcall.service.board.episodes.folded`` gives it.
    lines : the same lines, oldest first.
    """
    return "\n".join(line for _, line in _episode(episode, lines, 80))


def clean(text: object) -> str:
    """Escape what a terminal would act on: names and arguments are chosen by attackers."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def program_of(alert: Alert) -> Program:
    """Give the program of an alert, as far as it says: of a container it has the id."""
    told = alert["program"]
    exe = told["exe"] or told["comm"]
    return Program(exe, unit=told["unit"] or "", container=told["container"] or "")


def _opened(alert: Alert, width: int, name: str) -> Iterator[_Line]:
    yield from _wrapped("head", f"{_clock(alert)}  {alert['severity'].upper()}  {name}", width)
    yield from _wrapped("sentence", alert["explanation"]["sentence"], width, indent="  ")
    yield "", ""
    yield from _process(alert, width)
    yield from _features(alert, width)
    yield from _evidence(alert, width)
    yield from _hints(alert, width)
    yield from _labelled("alert", alert["id"], width)
    yield "", ""


def _episode(episode: Mapping[str, Any], lines: Sequence[Alert], width: int) -> Iterator[_Line]:
    name = f"{episode['name']} ({episode['unit']})" if episode["unit"] else episode["name"]
    now = "going on" if episode["state"] == "open" else "over"
    yield from _wrapped("head", f"{episode['severity'].upper()}  {name}, {now}", width)
    returns = episode["returns"]
    back = f", came back {counted(returns, 'time')}" if returns else ""
    course = f"began {_moment(episode['onset'])}{back}, last seen {_moment(episode['last'])}"
    yield from _wrapped("quiet", course, width, indent="  ")
    yield "", ""
    worst = next(line for line in lines if line["id"] == episode["worst"])
    yield from _wrapped("sentence", worst["explanation"]["sentence"], width, indent="  ")
    yield "", ""
    if others := len(episode["also"]):
        said = f"It did {counted(others, 'other thing')} as well: see what was sent, below."
        yield from _wrapped("sentence", said, width, indent="  ")
        yield "", ""
    yield from _evidence_of(worst, width)
    seen = worst["window"]
    yield from _labelled("window", f"{_moment(seen['start'])} to {_moment(seen['end'])}", width)
    yield from _hints(worst, width)
    yield "", ""
    yield from _nearest(worst)
    yield from _labelled("alert", f"{episode['id']}, {now}", width)
    if len(lines) > 1:
        yield from _sent(lines, worst)
    yield "", ""


def _sent(lines: Sequence[Alert], worst: Alert) -> Iterator[_Line]:
    """List the latest lines, and those before them that told of something else."""
    news = {line["id"] for line in telling(lines)}
    shown = [line for i, line in enumerate(lines) if i >= len(lines) - _ROWS or line["id"] in news]
    if more := len(lines) - len(shown):
        yield "", f"  {'sent':<{_LEFT}}{counted(more, 'line')} like these not listed"
    # A close repeats the oddest line, and what was said once is known.
    heard = {worst["explanation"]["sentence"]}
    for i, line in enumerate(shown):
        label = "" if more or i else "sent"
        row = (
            f"{_moment(line['time'])}  {line['state']:<6}  {line['severity']:<8}  "
            f"p = {line['score']['p_value']:.1e}{', shown here' if line is worst else ''}"
        )
        yield "", f"  {label:<{_LEFT}}{row}"
        said = line["explanation"]["sentence"]
        if line["state"] != "close" and said not in heard:
            yield from _wrapped("", said, 80, indent=f"  {'':<{_LEFT}}  ")
        heard.add(said)


def _whole(alert: Alert, width: int) -> Iterator[_Line]:
    head = f"{_moment(alert['time'])}  {alert['severity'].upper()}  {_name(alert, ())}"
    yield from _wrapped("head", head, width)
    yield from _wrapped("sentence", alert["explanation"]["sentence"], width, indent="  ")
    yield "", ""
    yield from _evidence_of(alert, width)
    yield from _labelled("began", f"{_since_onset(alert)} before this line", width)
    yield from _hints(alert, width)
    yield "", ""
    yield from _nearest(alert)
    yield from _labelled("alert", f"{alert['id']}, {alert['state']}", width)
    yield from _labelled("episode", alert["episode_id"], width)
    yield "", ""


def _evidence_of(alert: Alert, width: int) -> Iterator[_Line]:
    """Say who it was, every feature there is, and what each detector made of it."""
    yield from _process(alert, width)
    yield from _features(alert, width, most=len(alert["explanation"]["top"]))
    yield from _evidence(alert, width)
    by = sorted(alert["score"]["detectors"].items(), key=lambda found: found[1])
    yield from _labelled("detectors", ", ".join(f"{name} p = {p:.1e}" for name, p in by), width)


def _nearest(alert: Alert) -> Iterator[_Line]:
    near = alert["explanation"]["nearest_windows"]
    if not near:
        return
    head = f"  {'nearest':<{_LEFT}}{'window of the baseline':<28}{'pid':>9}{'calls':>10}"
    # Lines written by earlier versions give no scale.
    scaled = any(window.get("usual_distance") is not None for window in near)
    yield "table", f"{head}{'distance':>11}{'usual' if scaled else '':>9}".rstrip()
    for window in near:
        row = _moment(window["start"])
        numbers = f"{window['pid']:>9}{window['events']:>10,}{window['distance']:>11.3f}"
        usual = window.get("usual_distance")
        own = "" if usual is None else f"{usual:>9.3f}"
        yield "", f"  {'':<{_LEFT}}{row:<28}{numbers}{own}"
    if scaled:
        said = f"usual: that window from its own nearest; {NOTHING_SHARED:g}: nothing shared"
        yield "quiet", f"  {'':<{_LEFT}}{said}"
    yield "", ""


def _updated(alert: Alert, width: int, name: str) -> Iterator[_Line]:
    span, returns = _since_onset(alert), alert.get("returns")
    again = "again, " if returns else ""
    more = "something new, " if alert.get("news") else ""
    head = f"{_clock(alert)}  {alert['severity'].upper()}  {name}, {more}{again}for {span} now"
    yield from _wrapped("head", head, width)
    yield from _wrapped("sentence", alert["explanation"]["sentence"], width, indent="  ")
    yield "", ""
    if new := anew(alert):
        yield from _labelled("new", new, width)
    yield from _labelled("process", _who(alert), width)
    yield "", ""
    yield from _features(alert, width)
    yield from _evidence(alert, width)
    yield from _hints(alert, width)
    back = f", came back {counted(returns, 'time')}" if returns else ""
    yield from _labelled("alert", f"{alert['episode_id']}, update{back}", width)
    yield "", ""


def _closed(alert: Alert, width: int, name: str) -> Iterator[_Line]:
    # Without the time at its head, which is that of its last window: lines that came since are
    # above, and it would look out of order.
    began = _clock_of(alert["explanation"]["onset"])
    again = " again" if alert.get("returns") else ""
    text = (
        f"alert {short(alert['episode_id'])} ended{again}: {name}, from {began} to "
        f"{_clock(alert)} ({_since_onset(alert)})"
    )
    yield from _wrapped("quiet", text, width)
    yield "", ""


def _noted(notice: Alert, width: int) -> Iterator[_Line]:
    text = f"{_clock(notice)}  {notice['sentence']}"
    yield from _wrapped("quiet", text, width)
    yield "", ""


def _process(alert: Alert, width: int) -> Iterator[_Line]:
    program = alert["program"]
    exe, arguments = program["exe"] or program["comm"], alert["process"]["cmdline"] or ""
    if not arguments.startswith(exe):
        yield from _labelled("process", exe, width)
    if arguments:
        label = "process" if arguments.startswith(exe) else ""
        yield from _labelled(label, _cut(arguments, 3 * (width - _LEFT - 2)), width)
    yield from _labelled("", _who(alert), width)
    place = [f"unit {program['unit']}" if program["unit"] else ""]
    place.append(_container(alert) if program["container"] else "")
    if any(place):
        yield from _labelled("", ", ".join(filter(None, place)), width)
    yield "", ""


def _container(alert: Alert) -> str:
    known = alert.get("workload") or {}
    said = f"container {known.get('name') or alert['program']['container'][:12]}"
    said += f" of {known['image']}" if known.get("image") else ""
    if known.get("pod"):
        said += f", pod {known.get('namespace') or '?'}/{known['pod']}"
    return f"{said} (name not known: {known['why']})" if known.get("why") else said


def _who(alert: Alert) -> str:
    process = alert["process"]
    parent = f"{process['parent']} ({process['ppid']})" if process["parent"] else process["ppid"]
    return f"pid {process['pid']}, user {process['uid']}, started by {parent}"


def _features(alert: Alert, width: int, most: int = _FEATURES) -> Iterator[_Line]:
    top = alert["explanation"]["top"][:most]
    if not top:
        return
    rows = [_feature_row(feature) for feature in top]
    name_width = min(max(len(name) for name, _, _ in rows), width - _LEFT - 33)
    head = ("unusual", "observed", "typical, 5 to 95 %")
    yield "table", f"  {head[0]:<{_LEFT + name_width}} {head[1]:>9}   {head[2]:>18}"
    for name, observed, typical in rows:
        short = f"{'':<{_LEFT}}  {_cut(name, name_width):<{name_width}}"
        yield "", f"{short} {observed:>9}   {typical:>18}"
    yield "", ""


def _feature_row(feature: Alert) -> tuple[str, str, str]:
    name, share, whole = clean(feature["feature"]).partition(" (share of ")
    if whole == "transitions)":
        name += ", of transitions"
    show = _percent if share else _number
    typical = feature["typical"]
    low, high = show(typical["q05"]), show(typical["q95"])
    between = "none" if share and typical["q95"] == 0 else f"{low} to {high}"
    return name, show(feature["observed"]), low if low == high and high != "0 %" else between


def _evidence(alert: Alert, width: int) -> Iterator[_Line]:
    score, coverage, baseline = alert["score"], alert["coverage"], alert["baseline"]
    # From its first window to its last, as the sentence says, also where it paused between.
    span = _seconds(_between(alert["window"]["start"], alert["window"]["end"]))
    seen = f"{counted(alert['window']['events'], 'call')} in {span}"
    level = baseline["level"]
    against = f"against {JUDGED_BY[level]}{_ASIDE.get(level, '')}"
    if baseline["windows"]:
        against += f" ({counted(baseline['windows'], 'window')})"
    yield from _labelled("evidence", f"{seen}, {against}", width)
    odds = f"p = {score['p_value']:.1e}, alerts from {score['threshold']:.1e}"
    yield from _labelled("", odds + (", extrapolated" if score["extrapolated"] else ""), width)
    if baseline.get("severity_limit"):
        yield from _labelled("", baseline["severity_limit"], width)
    whole = _lost(coverage["lost"], coverage["lost_keys"])
    if alert["suppressed_since_last"]:
        whole += f"; {counted(alert['suppressed_since_last'], 'more window')} like it before"
    yield from _labelled("", whole, width)


def _lost(updates: int, processes: int) -> str:
    lost = [(updates, "update"), (processes, "process")]
    said = " and ".join(counted(number, noun) for number, noun in lost if number)
    were = "was" if updates + processes == 1 else "were"
    return f"{said} of this host {were} lost meanwhile" if said else "nothing was lost"


def _hints(alert: Alert, width: int) -> Iterator[_Line]:
    for i, hint in enumerate(alert["attack_hints"]):
        yield from _labelled("" if i else "hint", f"{hint['technique']}: {hint['why']}", width)


def _labelled(label: str, text: object, width: int) -> Iterator[_Line]:
    for i, line in enumerate(textwrap.wrap(clean(text), width - _LEFT - 2) or [""]):
        yield "label", f"  {'' if i else label:<{_LEFT}}{line}"


def _wrapped(kind: str, text: str, width: int, indent: str = "") -> Iterator[_Line]:
    lines = textwrap.wrap(clean(text), width, initial_indent=indent, subsequent_indent=indent)
    yield from ((kind, line) for line in lines)


def _name(alert: Alert, beside: Iterable[Program]) -> str:
    """Name an alert's program: by its unit, and by what tells it from others of that name."""
    own = program_of(alert)
    alike = [one for one in beside if (one.name, one.unit) == (own.name, own.unit)]
    container = ""
    if own.container and any(one.container != own.container for one in alike):
        known = alert.get("workload") or {}
        container = f"container {known.get('name') or own.container[:12]}"
    paths = {one.exe for one in alike if one.container == own.container} | {own.exe}
    name = told_apart([Program(path) for path in paths])[Program(own.exe)]
    places = ", ".join(filter(None, (own.unit, container)))
    return f"{name} ({places})" if places else name


def _clock(alert: Alert) -> str:
    return _clock_of(alert["time"])


def _clock_of(time: str) -> str:
    """Time of day, in the time zone of whoever reads."""
    return f"{datetime.fromisoformat(time).astimezone():%H:%M:%S}"


def _moment(time: str) -> str:
    """Day and time, in the time zone of whoever reads."""
    return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M:%S}"


def _since_onset(alert: Alert) -> str:
    return _seconds(_between(alert["explanation"]["onset"], alert["time"]))


def _between(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else format_duration(round(seconds))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _percent(share: float) -> str:
    percent = 100 * share
    if percent == 0:
        return "0 %"
    return "< 0.1 %" if percent < 0.1 else f"{percent:.{0 if percent >= 10 else 1}f} %"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _styled(kind: str, line: str, alert: Alert) -> str:
    if kind == "head":
        return click.style(line, fg=_COLOUR[alert["severity"]], bold=True)
    if kind == "sentence":
        return click.style(line, bold=True)
    if kind in {"table", "quiet"}:
        return click.style(line, dim=True)
    if kind == "label":
        cut = _LEFT + 2
        return click.style(line[:cut], dim=True) + line[cut:]
    return line
