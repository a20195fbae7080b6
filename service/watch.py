"""``watch``: the whole line on a live host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from oddcall.models.durations import format_duration
from oddcall.models.errors import StorageError
from oddcall.models.verdict import Verdicts
from oddcall.models.window import WindowBatch
from oddcall.service.alerts import context
from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.context import Remembered
from oddcall.service.alerts.episode import Episodes
from oddcall.service.alerts.judging import steps
from oddcall.service.alerts.notice import Notice
from oddcall.service.board.board import Board
from oddcall.service.judgeable import PATIENCE_S, Judgeable
from oddcall.service.learning import memory
from oddcall.service.quantities import counted
from oddcall.service.screen import Screen, Status
from oddcall.service.sinks.base import Delivery

if TYPE_CHECKING:
    from oddcall.models.learned import Learned
    from oddcall.models.model import Model
    from oddcall.sensor.sensor import Tick
    from oddcall.service.upkeep import Upkeep
    from oddcall.training.recording import RecordingWriter


#: Where no terminal shows it all the time: whoever looks into a pipe or a log sees within a minute
#: that it goes on, and a log that is kept for months has no line every ten seconds.
_PACE_S = 60.0


class Keeping:
    """Keeps what is judged as a recording, so that ``replay`` can judge it again.

    A disk that fills up ends the recording, not the watch.

    Parameters
    ----------
    folder : Path
    metadata : dict of str
        For the recording.
    people : Remembered
        What is known of processes that alerted, kept beside it.
    screen : Screen
        Told when the recording ends early.
    """

    def __init__(
        self, folder: Path, metadata: dict[str, str], people: Remembered, screen: Screen
    ) -> None:
        # A watch that keeps nothing does without 30 MB of Parquet.
        from oddcall.training.recording import RecordingWriter

        self._folder, self._people, self._screen = folder, people, screen
        self._writer: RecordingWriter | None = RecordingWriter(folder, metadata)
        self._begun = False
        self._learned: Sequence[Learned] | None = None
        self.error: StorageError | None = None

    def pass_on(self, batches: Iterable[WindowBatch]) -> Iterator[WindowBatch]:
        """Yield every batch once it is kept."""
        for batch in batches:
            self._try(self._append, batch)
            yield batch

    def begin(self, learned: Sequence[Learned]) -> None:
        """Keep what baselines have learned before; a recording that goes on has begun already."""
        if not any(self._folder.glob("part-*")):
            self._learned = learned

    def close(self) -> None:
        """End the recording."""
        self._try(self._end)

    def _append(self, batch: WindowBatch) -> None:
        if self._writer:
            self._writer.append(batch)
            self._note()

    def _end(self) -> None:
        if self._writer:
            self._writer.close()
            self._note()

    def _note(self) -> None:
        # Beside whole parts only: a folder with nothing but this file is no recording.
        self._begun = self._begun or any(self._folder.glob("part-*"))
        if self._begun and (fresh := self._people.fresh()):
            context.write(self._folder, fresh)
        if self._begun and self._learned:
            memory.write(self._folder, self._learned)
            self._learned = None

    def _try(self, step: Callable[..., None], *arguments: object) -> None:
        try:
            step(*arguments)
        except StorageError as error:
            self.error, self._writer = error, None
            self._screen.say(f"oddcall: {error} The recording ends here; watching goes on.")


@dataclass(slots=True)
class Pulse:
    """How the watch itself is doing, for the status line."""

    screen: Screen
    windows: int = 0
    alerts: int = 0
    back: set[tuple[str, int]] = field(default_factory=set)
    lost: dict[str, int] = field(default_factory=dict)
    began_ns: int = 0
    last_ns: int = 0
    began_cpu_s: float = 0.0
    judgeable: Judgeable = field(default_factory=Judgeable)
    _warned: bool = False

    def pass_on(self, ticks: Iterable[Tick]) -> Iterator[WindowBatch]:
        """Yield every tick's windows, and show how things stand after each."""
        for tick in ticks:
            if not self.began_ns:
                self.began_ns, self.began_cpu_s = tick.time_ns, tick.cost.cpu_s
            self.last_ns = tick.time_ns
            self.windows += len(tick.windows)
            self._tell_losses(tick)
            yield tick.windows
            self.screen.show(self._status(tick))

    def summary(self) -> str:
        """Say how the watch was, once it is over."""
        watched = format_duration(max(round((self.last_ns - self.began_ns) / 1e9), 0))
        lost = sum(self.lost.values())
        return f"watched for {watched}: {self.judgeable}, {self._told()}, lost {lost:,}"

    def judged(self, batch: WindowBatch, verdicts: Verdicts, model: Model) -> None:
        """Take a batch and its verdicts, and warn once where nothing of a minute could alert."""
        self.judgeable.see(batch, verdicts)
        if not self._warned and self.last_ns - self.began_ns >= PATIENCE_S * 1e9:
            self._warned = True
            if warning := self.judgeable.warning(model):
                self.screen.say(fill(warning, 80, subsequent_indent="  "))

    def count(self, alert: Alert) -> None:
        """Count one alert, or an earlier one that came back."""
        self.alerts += alert["state"] == "open"
        if returns := alert.get("returns"):
            self.back.add((alert["episode_id"], returns))

    def _told(self) -> str:
        back = f", {len(self.back):,} that came back" if self.back else ""
        return f"{counted(self.alerts, 'alert')}{back}"

    def _tell_losses(self, tick: Tick) -> None:
        grown = {
            kind: count - self.lost.get(kind, 0)
            for kind, count in tick.lost.items()
            if count > self.lost.get(kind, 0)
        }
        self.lost = dict(tick.lost)
        if grown:
            said = ", ".join(f"{count:,} {kind}" for kind, count in grown.items())
            self.screen.say(f"lost since the last tick: {said}")

    def _status(self, tick: Tick) -> Status:
        elapsed_s = (tick.time_ns - self.began_ns) / 1e9
        share = (tick.cost.cpu_s - self.began_cpu_s) / elapsed_s if elapsed_s >= 1 else 0.0
        bpf_s = tick.cost.bpf_s
        kernel_side = f" and {bpf_s / max(elapsed_s, 1):.1%} in the kernel" if bpf_s else ""
        return Status(
            f"watching {format_duration(max(round(elapsed_s), 1))}: "
            f"{counted(tick.tracked, 'process')}, {counted(self.windows, 'window')}, "
            f"{self._told()}, "
            f"lost {sum(self.lost.values()):,}, {share:.1%} of a core{kernel_side}, "
            f"{tick.cost.rss_bytes / 1e6:.0f} MB",
            pace_s=_PACE_S,
        )


def watch(
    batches: Iterable[WindowBatch],
    episodes: Episodes,
    delivery: Delivery,
    pulse: Pulse,
    board: Board,
    upkeep: Upkeep,
) -> None:
    """Judge batches until they end; every alert goes to the board and to every sink."""

    def tell(sent: list[Alert], held: list[Alert], notices: list[Notice]) -> None:
        for alert in (*sent, *held):
            pulse.count(alert)
            board.alerted(alert)
            upkeep.wrote(alert)
        board.held_back(held)
        for line in (*notices, *sent):
            delivery.send(line)

    def flushed() -> Iterator[WindowBatch]:
        for batch in batches:
            yield batch
            delivery.flush()

    for step in steps(flushed(), episodes):
        board.judged(step.batch, step.verdicts)
        pulse.judged(step.batch, step.verdicts, episodes.model)
        tell(step.alerts, step.held, step.notices)
        upkeep.saw(step)
    told = episodes.end()
    tell(told.sent, told.held, told.notices)
