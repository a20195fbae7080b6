"""``oddcall watch``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from textwrap import fill

import click
from click.core import ParameterSource

from oddcall.models.errors import SettingError
from oddcall.service.commands.options import AGAIN, as_json, people, with_settings
from oddcall.service.config.settings import Settings

_EXAMPLES = """\b
Examples:
  oddcall watch                                 learns this host first
  oddcall watch --learn 1h --budget 5/week
  oddcall watch --model host.oddcall --alerts alerts.jsonl
  oddcall watch --model host.oddcall --record kept/
  oddcall watch --model host.oddcall --shadow new.oddcall
"""

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("watch", epilog=_EXAMPLES)
@click.option("--model", metavar="FILE", type=_FILE, help="Bundle to watch with.")
@click.option("--alerts", metavar="FILE", type=_FILE, help="Append alerts as JSON lines.")
@click.option(
    "--record",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep what is judged, so that `oddcall replay` gives the same alerts; a folder a start.",
)
@click.option(
    "--shadow",
    metavar="FILE",
    type=_FILE,
    help="Bundle to judge by as well: its alerts are counted and compared, never sent.",
)
@click.option("--relearn", is_flag=True, help="Forget what was learned, and learn anew.")
@with_settings(
    *("learning.duration", "budget", "state_dir"),
    *("sensor.interval", "sensor.loader", "sensor.simulate_loss_percent"),
    *("web.enabled", "web.port"),
)
@as_json("Print alerts as JSON lines instead of text.")
def command(
    settings: Settings,
    model: Path | None,
    alerts: Path | None,
    record: Path | None,
    shadow: Path | None,
    relearn: bool,
    json_: bool,
) -> None:
    """Judge this host as it runs, and alert.

    Without --model it learns first, and shows what it has learned; the baseline
    is kept in the state directory, and the next start watches at once. Stopped
    while learning, it goes on where it stopped. On SIGHUP it reads its settings
    again, and says which of them it takes and which need a restart. Where it
    writes to no terminal, a line a minute says how it stands.

    Programs that are new, or replaced, are learned while it watches. Not so with
    --model: a model that was named is pinned, and gets no program it has not;
    train another one to have them. With --record one model judges to the end as
    well, so that a replay by it gives the same; new programs wait for the next
    watch without.
    """
    from oddcall.service import live, session, upkeep
    from oddcall.service.config.reload import Reload
    from oddcall.service.failed_calls import RELEARN, TRAIN, differing
    from oddcall.service.learning.summary import not_learned
    from oddcall.service.notify import Notifier
    from oddcall.service.origin import host_of
    from oddcall.service.screen import open_screen
    from oddcall.service.signals import hanging_up, stopping
    from oddcall.service.state import StateDir
    from oddcall.service.trust import named_model

    if model and relearn:
        raise SettingError("--model and --relearn exclude each other", fix="Give one of them.")
    # Before a lesson of minutes, and before --relearn forgets.
    beside = named_model(shadow, settings.trusted_key) if shadow else None
    state = StateDir(settings.state_dir)
    with ExitStack() as held:
        if model is None:
            held.enter_context(state.held())
            if relearn:
                state.forget()
        known = session.known_model(settings, model)
        if known:
            known = upkeep.budgeted(known, settings)
        sensor = live.open_sensor(settings.sensor)
        held.enter_context(stopping(sensor.stop))
        reload = Reload(click.get_current_context().meta[AGAIN])
        held.enter_context(hanging_up(reload.ask))
        screen = open_screen(people(json_ or session.takes_stdout(settings)))
        held.callback(screen.close)
        held.enter_context(sensor)
        asked = click.get_current_context().get_parameter_source("learning_duration")
        if known and asked is ParameterSource.COMMANDLINE:
            screen.say(not_learned(known, model, state.path))
        screen.say(live.how_it_counts(sensor))
        screen.say(sensor.shed_privileges(live.written(settings, alerts, record)))
        metadata = live.recording_metadata(sensor)
        fix = TRAIN if model else RELEARN
        if known and (said := differing(known.metadata, metadata, "what is counted now", fix)):
            screen.say(fill(said, 80, subsequent_indent="  "))
        notifier = Notifier()
        source = live.Paced(sensor, screen.say, notifier.waiting)
        here = session.Here(source, metadata, host_of(metadata), live.AskHost(), notifier)
        request = session.Request(
            settings,
            alerts,
            record,
            sys.stdout if json_ else None,
            learns=model is None and record is None,
            shadow=beside,
            reload=reload,
        )
        session.run(request, known, here, screen)
