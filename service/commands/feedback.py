"""``oddcall feedback``."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from oddcall.service.commands.options import as_json, duration, same_place, with_settings
from oddcall.service.config.settings import Settings

if TYPE_CHECKING:
    from oddcall.service.alerts.alert import Alert
    from oddcall.service.feedback import Feedback
    from oddcall.service.given import Given
    from oddcall.service.history import History

_EXAMPLES = """\b
Examples:
  oddcall feedback list --alerts            the latest alerts, with their ids
  oddcall feedback ack 3f2a9c1b
  oddcall feedback tolerate 3f2a9c1b --note "the backup" --expires 30d
  oddcall feedback forget 3f2a9c1b
  oddcall feedback undo 3f2a9c1b
  oddcall feedback list
"""
_DID = {
    "ack": "noted as seen",
    "tolerate": "what {program} did is normal for it{until}",
    "forget": "the baseline of {program} is dropped\n"
    "  It is not judged until it is learned anew, which a watch with --model or\n"
    "  --record never does.",
}
_DONE = {
    "ack": "noted as seen already",
    "tolerate": "tolerated already{until}",
    "forget": "the baseline of {program} is dropped already, and not learned anew yet",
}
_UNTIL = "%Y-%m-%d %H:%M"


@click.group("feedback", epilog=_EXAMPLES)
def command() -> None:
    """Answer an alert: seen, normal, or learn that program anew.

    An alert is named by its id, by the first characters of it, or by the word
    last. What was said can be taken back, exactly. A running watch takes it up
    at its next tick.
    """


def _verb(name: str, text: str) -> Callable[[Callable[..., None]], click.Command]:
    def decorate(verb: Callable[..., None]) -> click.Command:
        verb = as_json("Print what was said as JSON.")(verb)
        verb = with_settings("state_dir")(verb)
        verb = click.option("--note", metavar="TEXT", default="", help="Why, for later.")(verb)
        verb = click.argument("alert", metavar="ALERT_ID")(verb)
        example = f"\b\nExamples:\n  oddcall feedback {name} 3f2a9c1b\n"
        return command.command(name, help=text, epilog=example)(verb)

    return decorate


@_verb(
    "ack",
    "Note that an alert was seen; nothing else changes.\n\nIt is unread again once it shows "
    "another kind of behaviour, or is graver.",
)
def _ack(settings: Settings, alert: str, note: str, json_: bool) -> None:
    _answer("ack", settings, alert, note, None, json_=json_)


_EXPIRES = click.option("--expires", metavar="TIME", help="How long it holds, such as 30d.")


def _tolerate(settings: Settings, alert: str, note: str, json_: bool, expires: str | None) -> None:
    _answer("tolerate", settings, alert, note, expires, json_=json_)


_verb(
    "tolerate",
    "Take what the program did as normal for it.\n\nThe next window like it does not alert; "
    "others still do.",
)(_EXPIRES(_tolerate))


@_verb(
    "forget",
    "Drop the baseline of the program, and learn it anew.\n\nUntil then it is not judged. A watch "
    "with --model or --record learns no program.",
)
def _forget(settings: Settings, alert: str, note: str, json_: bool) -> None:
    _answer("forget", settings, alert, note, None, json_=json_)


@_verb("undo", "Take back the last thing that was said of an alert, exactly.")
def _undo(settings: Settings, alert: str, note: str, json_: bool) -> None:
    from oddcall.service.alerts.alert import short

    feedback = _feedback(settings)
    if alert == "last":
        with _history(settings) as history:
            alert = history.find(alert).episode_id
    said = feedback.undo(alert, who=_who(), note=note)
    if json_:
        click.echo(json.dumps({"undone": said.as_dict()}))
        return
    click.echo(f"taken back: {said.verb} of alert {short(said.episode)} ({said.title})")


@command.command(
    "list",
    help="Show what was said, and whether it holds; or the latest alerts.",
    epilog="\b\nExamples:\n  oddcall feedback list\n  oddcall feedback list --alerts --json\n",
)
@click.option(
    "--alerts",
    is_flag=True,
    help="The latest alerts instead, with their ids and when each showed something last.",
)
@click.option(
    "--most", metavar="N", type=click.IntRange(1), default=20, show_default=True,
    help="Answers or alerts to show, the latest.",
)  # fmt: skip
@with_settings("state_dir")
@as_json("Print them as JSON.")
def _list(settings: Settings, alerts: bool, most: int, json_: bool) -> None:
    given = _feedback(settings).given()
    if alerts:
        _list_alerts(settings, given, most, json_=json_)
        return
    given = given[-most:]
    now_ns = time.time_ns()
    if json_:
        listed = [{**said.as_dict(), "in_force": said.in_force(now_ns)} for said in given]
        click.echo(json.dumps({"feedback": listed}))
        return
    if not given:
        click.echo(
            f"nothing was said yet; `oddcall feedback list --alerts{same_place()}` shows the alerts"
        )
    for said in given:
        click.echo("\n".join(_told(said, now_ns)))


def _list_alerts(settings: Settings, given: list[Given], most: int, *, json_: bool) -> None:
    from textwrap import shorten

    from oddcall.service.alerts.alert import short
    from oddcall.service.alerts.text import clean
    from oddcall.service.board.episodes import folded
    from oddcall.service.given import standing
    from oddcall.service.history import titled

    with _history(settings) as history:
        found = [[kept.alert for kept in episode.lines] for episode in history.episodes(most)]
    # As each began, with how grave it is by now, and when it showed something last: the order.
    alerts: list[dict[str, Any]] = [
        {**lines[0], "severity": lines[-1]["severity"], "last": _shown_last(lines)}
        for lines in found
    ]
    if json_:
        click.echo(json.dumps({"alerts": alerts}))
        return
    now_ns = time.time_ns()
    answers = standing(given, now_ns)
    for alert, lines in zip(alerts, found, strict=True):
        answer = ", ".join(answers.get(alert["episode_id"], ())[-2:])
        shown = titled({**alert, "time": alert["last"]})
        click.echo(f"{short(alert['episode_id'])}  {shown:<50}  {answer}".rstrip())
        # Of its oddest window, as the page and `explain` have it.
        (episode,) = folded(lines)
        click.echo(f"          {clean(shorten(episode['sentence'], 70, placeholder=' ...'))}")
    if not alerts:
        click.echo("no alert is known yet")


def _shown_last(lines: list[Alert]) -> str:
    """Tell when an episode showed something last: to close is to show nothing."""
    showing = [line for line in lines if line["state"] != "close"] or lines
    return str(showing[-1]["time"])


def _answer(
    verb: str, settings: Settings, alert: str, note: str, expires: str | None, *, json_: bool
) -> None:
    from oddcall.service.alerts.alert import short
    from oddcall.service.alerts.tolerated import told
    from oddcall.service.feedback import Feedback
    from oddcall.service.learning.states import begun
    from oddcall.service.state import StateDir

    expires_s = None if expires is None else duration(expires, "--expires")
    state = StateDir(settings.state_dir)
    feedback = Feedback(state.feedback)
    with _history(settings) as history:
        kept = history.find(alert)
        said, repeated = feedback.answer(
            verb,
            kept,
            history,
            who=_who(),
            note=note,
            expires_s=expires_s,
            begun_ns=begun(state.programs),
        )
        lines = [one.alert for one in history.episode(kept.episode_id)]
    if json_:
        click.echo(json.dumps({**said.as_dict(), "said_before": repeated}))
        return
    until = f" until {_clock(said.expires_ns)}" if said.expires_ns else ""
    did = (_DONE if repeated else _DID)[verb].format(
        program=said.title.rsplit("/", 1)[-1], until=until
    )
    if repeated:
        other = "" if said.episode == kept.episode_id else f" for alert {short(said.episode)}"
        did += f", by {said.who} {_clock(said.time_ns)}{other}; nothing was added"
        if note and note != said.note:
            did += ", nor the note"
    click.echo(f"alert {short(kept.episode_id)}: {did}")
    if verb != "forget" and not repeated:
        for sentence in told(lines, said.behaviours):
            click.echo(textwrap.fill(sentence, 80, initial_indent="  ", subsequent_indent="    "))
    click.echo(f"`oddcall feedback undo {short(said.episode)}{same_place()}` takes it back")


def _told(said: Given, now_ns: int) -> Iterator[str]:
    from oddcall.service.alerts.alert import short

    ends = f"until {_clock(said.expires_ns)}" if said.expires_ns else "holds"
    if said.undone_ns:
        ends = f"taken back {_clock(said.undone_ns)}"
    elif said.lapsed_ns:
        still = "; holds" if said.in_force(now_ns) else ""
        ends = f"the alert tells more since {_clock(said.lapsed_ns)}{still}"
    elif not said.in_force(now_ns):
        ends = f"over since {_clock(said.expires_ns or 0)}"
    name = said.title.rsplit("/", 1)[-1]
    yield f"{short(said.episode)}  {said.verb:<8}  {name:<24}  {ends}"
    why = f": {said.note}" if said.note else ""
    yield f"          {said.who}, {_clock(said.time_ns)}{why}"


def _clock(time_ns: int) -> str:
    return time.strftime(_UNTIL, time.localtime(time_ns / 1e9))


def _feedback(settings: Settings) -> Feedback:
    """Open what was said; raises SettingError where no watch was: nothing can have been said."""
    from oddcall.service.feedback import Feedback
    from oddcall.service.state import StateDir, is_there

    state = StateDir(settings.state_dir)
    if not is_there(state.feedback):
        with _history(settings):
            pass
    return Feedback(state.feedback)


@contextmanager
def _history(settings: Settings) -> Iterator[History]:
    from oddcall.service.history import History
    from oddcall.service.state import StateDir

    history = History.reading(StateDir(settings.state_dir).history)
    try:
        yield history
    finally:
        history.close()


def _who() -> str:
    """Name the person: whoever became root is still the one who says it."""
    import getpass
    import os

    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
