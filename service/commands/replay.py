"""``oddcall replay``."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Literal

import click

from oddcall.models.errors import SettingError
from oddcall.service.commands.options import as_json, people, with_settings
from oddcall.service.config.settings import Settings
from oddcall.service.quantities import counted

if TYPE_CHECKING:
    from oddcall.models.model import Model
    from oddcall.service.alerts.episode import Episodes
    from oddcall.service.replay.replay import Account
    from oddcall.training.lake import Source

_EXAMPLES = """\b
Examples:
  oddcall replay suspect/ --model host.oddcall
  oddcall replay suspect/ --model host.oddcall --alerts found.jsonl
  oddcall replay kept/ --model host.oddcall --budget 1/week --json
  oddcall replay kept/ --model host.oddcall --what-if budget=5/day,interval=5s
  oddcall replay kept/ --model host.oddcall --what-if model=new.oddcall
"""

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("replay", epilog=_EXAMPLES)
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--model", metavar="FILE", required=True, type=_FILE, help="Bundle to judge with.")
@click.option(
    "--alerts",
    metavar="FILE",
    type=_FILE,
    help="Append alerts as JSON lines; those the file already holds are left out.",
)
@click.option(
    "--feedback",
    type=click.Choice(["then", "now", "never"]),
    default="then",
    show_default=True,
    help="Judge by what people had said when a window began, by what is in force now, or by none.",
)
@click.option(
    "--what-if",
    multiple=True,
    metavar="WAYS",
    help="Compare with another budget=N/day, interval=TIME or model=FILE; several are separated "
    "by commas, and joined by + to have them at once.",
)
@with_settings("budget", "state_dir")
@as_json("Print the summary as JSON, and no alerts.")
def command(
    settings: Settings,
    recording: Path,
    model: Path,
    alerts: Path | None,
    feedback: Literal["then", "now", "never"],
    what_if: tuple[str, ...],
    json_: bool,
) -> None:
    """Judge a recording as watch would have.

    The same windows give the same alerts, with the same ids. What people said of
    alerts is taken from the state directory, and named where it held.

    With --what-if it counts alerts instead of showing them, side by side for
    each way: which budget can be lived with is seen on one's own history.

    Alerts a day are given for a day or more: of less, --json has null for them.
    """
    from oddcall.service.alerts.context import recorded
    from oddcall.service.failed_calls import differing
    from oddcall.service.judgeable import LEARNED, made_elsewhere
    from oddcall.service.learning.memory import recalled
    from oddcall.service.origin import host_of
    from oddcall.service.replay.replay import check_fit, replay
    from oddcall.service.screen import open_screen
    from oddcall.service.session import open_episodes
    from oddcall.service.sinks.base import Delivery, Sink
    from oddcall.service.sinks.jsonl import JsonLines
    from oddcall.service.sinks.terminal import Terminal
    from oddcall.service.trust import named_model
    from oddcall.service.upkeep import budgeted
    from oddcall.training.recording import read_batches, read_metadata
    from oddcall.training.splits import has_learned

    judge = budgeted(named_model(model, settings.trusted_key), settings)
    answers = _Answers(settings.state_dir, feedback)
    if what_if:
        _compare(settings, recording, judge, what_if, answers, alerts, json_)
        return
    metadata = read_metadata(recording)
    check_fit(judge, metadata, recording)
    host = host_of(metadata)
    file = JsonLines(alerts, once=True) if alerts else None
    with closing(open_screen(people(json_), every_s=2, first_s=2)) as screen:
        sinks: list[Sink] = [] if json_ else [Terminal(screen)]
        with closing(Delivery([*sinks, file] if file else sinks, screen.say)) as delivery:
            episodes = open_episodes(judge, host, settings.alerts, recorded(recording))
            answers.lay_over(episodes)
            episodes.learned = recalled(recording)
            if episodes.abroad.away:
                screen.say(fill(made_elsewhere(judge), 80, subsequent_indent="  "))
            account = replay(read_batches(recording), episodes, delivery, screen)
    already = file.already if file else 0
    learned = has_learned(judge.metadata, _source(recording, metadata, account))
    known = f"warning: {LEARNED}" if learned else ""
    other = differing(judge.metadata, metadata, str(recording))
    for note in filter(None, [other, *answers.notes(account), known]):
        click.echo(fill(note, 80, subsequent_indent="  "), err=json_)
    if json_:
        click.echo(json.dumps({**account.as_dict(), "already_in_file": already}))
        return
    were = "was" if already == 1 else "were"
    held = f"; {counted(already, 'line')} {were} in the file already" if already else ""
    click.echo(f"{account}; {account.judgeable}{held}")
    if warning := account.judgeable.warning(judge):
        click.echo(fill(warning, 80, subsequent_indent="  "))


class _Answers:
    """What people have said of alerts of this host, laid over a recording of any."""

    def __init__(self, state_dir: Path, feedback: str) -> None:
        from oddcall.service.feedback import Feedback
        from oddcall.service.state import StateDir

        self._place = state_dir
        self._told = None
        if feedback != "never":
            said = Feedback(StateDir(state_dir).feedback)
            self._told = said.tolerances(now=feedback == "now")

    def lay_over(self, episodes: Episodes) -> None:
        """Let it hold for episodes that have not begun."""
        from oddcall.service.answers import lay_over

        if self._told:
            lay_over(episodes, self._told)

    def notes(self, account: Account) -> list[str]:
        """Say what of it held in what was replayed, if anything."""
        from oddcall.service.answers import in_words

        held = self._told and self._told.within(account.start_ns, account.end_ns)
        if not held or not (held.tolerated or held.forgotten):
            return []
        return [f"feedback in {self._place}: {in_words(held)}; --feedback never judges without"]


def _source(recording: Path, metadata: dict[str, str], account: Account) -> Source:
    """Say what was replayed, and of when it is: all of it was gone through."""
    from oddcall.training.lake import Source

    return Source(recording, metadata, account.start_ns, account.end_ns)


def _compare(
    settings: Settings,
    recording: Path,
    model: Model,
    what_if: tuple[str, ...],
    answers: _Answers,
    alerts: Path | None,
    json_: bool,
) -> None:
    from oddcall.service.replay import alternatives, alternatives_text
    from oddcall.service.screen import Status, open_screen
    from oddcall.training.recording import summary

    if alerts:
        raise SettingError("--what-if writes no alerts", fix="Leave --alerts or --what-if out.")
    asked = alternatives.parse(what_if)
    told = summary(recording)
    with closing(open_screen(people(json_), every_s=2, first_s=2)) as screen:
        outcomes = alternatives.compare(
            recording,
            told,
            model,
            asked,
            settings.alerts,
            answers.lay_over,
            lambda what, done: screen.show(Status(what, done)),
            settings.trusted_key,
        )
    account = outcomes[0].account
    source = _source(recording, told.metadata, account)
    said = [*answers.notes(account), *alternatives.notes(outcomes, source)]
    if json_:
        click.echo(json.dumps(alternatives_text.as_dict(outcomes, said)))
        return
    click.echo("\n".join(alternatives_text.table(outcomes, said)))
