"""``oddcall record``."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import click

from oddcall.models.durations import format_duration
from oddcall.service.commands import options
from oddcall.service.commands.options import as_json, people, with_settings
from oddcall.service.config.settings import Settings

_EXAMPLES = """\b
Examples:
  oddcall record -o clean/ --duration 10m
  oddcall record -o night/                     until Ctrl-C
  oddcall record -o r/ --duration 60s --json   the summary for a machine
"""


@click.command("record", epilog=_EXAMPLES)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the recording; one of this host that is there already goes on.",
)
@click.option("--duration", metavar="TIME", help="How long; without it, until stopped.")
@with_settings("sensor.interval", "sensor.loader", "sensor.simulate_loss_percent")
@as_json("Print the summary as JSON.")
def command(settings: Settings, output: Path, duration: str | None, json_: bool) -> None:
    """Write down what every process of this host calls.

    Ctrl-C and SIGTERM end it cleanly, with the last windows written.
    """
    from oddcall.service.live import Paced, how_it_counts, open_sensor, recording_metadata
    from oddcall.service.screen import open_screen
    from oddcall.service.signals import stopping

    duration_s = None if duration is None else options.duration(duration)
    sensor = open_sensor(settings.sensor)
    with stopping(sensor.stop), sensor:
        gave_up = sensor.shed_privileges([output])
        # Only now: Parquet begins threads, which would keep what is given up.
        from oddcall.service.record import record, until
        from oddcall.training.recording import RecordingWriter

        metadata = recording_metadata(sensor)
        writer = RecordingWriter(output, metadata)
        with closing(open_screen(people(json_))) as screen:
            screen.say(how_it_counts(sensor))
            screen.say(gave_up)
            tally = record(until(Paced(sensor, screen.say), duration_s), writer, screen, duration_s)
    if json_:
        click.echo(json.dumps({"recording": str(output), **tally.as_dict()}))
    else:
        span = format_duration(max((tally.now_ns - tally.began_ns) / 1e9, 0.001))
        click.echo(f"recorded {span} into {output}: {tally}")
