"""A sink of its own thread: alerts wait in a queue, and go out when the other side lets them.

::

    send ──> filter ──> queue ══> thread: format ──> transport ──> done
                          ▲                              │
                          └── wait, longer each time ◀── fails

``send`` never waits for the other side. Every alert is sent until it has arrived, so it may
arrive twice, with the same id. Where the queue is full, or the other side refuses one alert
while it takes others, that alert is dropped and counted, and a notice says so there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from oddcall.models.errors import OddcallError, StorageError
from oddcall.service.alerts import notice
from oddcall.service.alerts.alert import Alert
from oddcall.service.formats import Format
from oddcall.service.formats.native import native
from oddcall.service.quantities import counted
from oddcall.service.sinks.backoff import Backoff
from oddcall.service.sinks.filter import Filter
from oddcall.service.sinks.losses import Losses
from oddcall.service.sinks.memory import Queue, Waiting
from oddcall.service.sinks.transport import DeliveryError, Record, RefusedError, Transport

#: Refusals after which an alert is dropped, if others were taken meanwhile.
_REFUSALS = 3
#: Longest wait that the other side may ask for.
_LONGEST_WAIT_S = 3600.0
#: Between two tries once there is no more time than to stop.
_LAST_WAITS_S = 0.2


@dataclass(frozen=True, slots=True)
class QueuedSettings:
    """What is done with alerts before they go out.

    Attributes
    ----------
    shape : Format, default native
    wanted : Filter, default all
    backoff : callable, default Backoff
        Gives the waits between tries.
    drain_s : float, default 5.0
        Longest time to deliver what waits when it is stopped.
    """

    shape: Format = native
    wanted: Filter = field(default_factory=Filter)
    backoff: Callable[[], Backoff] = Backoff
    drain_s: float = 5.0


@dataclass(frozen=True, slots=True)
class State:
    """How a sink stands.

    Attributes
    ----------
    name : str
    waiting : int
        Alerts not delivered yet.
    sent : int
        Alerts delivered since the start.
    dropped : Losses
        Alerts dropped, over restarts where the queue outlives them.
    failing : str
        Why the last try failed; empty where it did not.
    """

    name: str
    waiting: int
    sent: int
    dropped: Losses
    failing: str


class Queued:
    """A sink that delivers on a thread of its own.

    Parameters
    ----------
    name : str
        What to call it.
    transport : Transport
    queue : Queue
    host : dict of str
        As alerts name it, for notices.
    say : callable
        Told one sentence when the sink begins to fail, when it works again, and when it drops.
    settings : QueuedSettings, optional
    """

    def __init__(
        self,
        name: str,
        transport: Transport,
        queue: Queue,
        host: Mapping[str, str],
        say: Callable[[str], None],
        settings: QueuedSettings | None = None,
    ) -> None:
        self.name = name
        self._transport, self._queue, self._say = transport, queue, say
        self._host = dict(host)
        self._settings = settings or QueuedSettings()
        self._backoff = self._settings.backoff()
        self._sent, self._failing = 0, ""
        self._refusals: dict[str, tuple[int, int]] = {}
        self._singly = 0
        self._full_said = self._closed = False
        self._ended: BrokenPipeError | None = None
        self._deadline_s: float | None = None
        # Guards the queue and wakes the thread; never held while something is sent.
        self._turn = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"sink {name}", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def state(self) -> State:
        """How it stands now."""
        with self._turn:
            lost = self._queue.toll.lost
            return State(self.name, len(self._queue), self._sent, lost, self._failing)

    def send(self, alert: Alert) -> None:
        """Let one alert wait for delivery; raises BrokenPipeError once a pipe's reader left."""
        if self._ended:
            raise self._ended
        if not self._settings.wanted(alert):
            return
        with self._turn:
            before = self._queue.toll.lost.full
            self._queue.put(alert)
            full = self._queue.toll.lost.full > before and not self._full_said
            self._full_said |= full
            self._turn.notify()
        if full:
            self._say(f"the queue of {self.name} is full: alerts are dropped from now on")

    def stop(self) -> None:
        """Ask it to deliver what waits and end; returns at once."""
        with self._turn:
            self._deadline_s = self._deadline_s or time.monotonic() + self._settings.drain_s
            self._turn.notify()

    def leave(self) -> None:
        """End at once: what waits on disk stays for the sink that takes this one's place."""
        with self._turn:
            self._deadline_s = time.monotonic()
            self._turn.notify()
        self.close()

    def close(self) -> None:
        """Deliver what can be in the time there is; what is left waits on disk.

        Raises
        ------
        StorageError
            When something is left and its queue is not on disk, or the disk did not take it.
        """
        if self._closed:
            return
        self._closed = True
        self.stop()
        self._thread.join(self._left_s() + _LAST_WAITS_S)
        with self._turn:
            left, lost = len(self._queue), self._queue.toll.lost
            self._queue.close()
            # What waited in memory, where the disk did not take it even now.
            gone = (self._queue.toll.lost - lost).total if self._queue.durable else left
        # A thread that is stuck in the other side is left behind, with what it holds.
        if not self._thread.is_alive():
            self._transport.close()
        kept = left - gone
        gone += 0 if self._queue.durable else self._queue.toll.untold.total
        if self._ended:
            return
        if kept:
            self._say(f"{_undelivered(kept)} to {self.name}; the next start goes on with them")
        if not gone:
            return
        raise StorageError(
            _undelivered(gone),
            got=(self._failing or f"{self.name} was too slow").rstrip("."),
            fix="`oddcall replay` finds them again in a recording of that time.",
        )

    def _work(self) -> None:
        while self._wait_for_work():
            try:
                self._turn_over()
            except BrokenPipeError as error:
                self._ended = error
                return
            except (OddcallError, OSError) as error:
                self._fails(error)
            except Exception as error:
                self._fails(DeliveryError(f"a mistake of oddcall's own: {error!r}"))

    def _wait_for_work(self) -> bool:
        """Wait until there is something to send; False once it is time to end."""
        with self._turn:
            while not len(self._queue) and not self._notable():
                if self._deadline_s is not None:
                    return False
                self._turn.wait()
            return self._left_s() > 0

    def _turn_over(self) -> None:
        """Send what is first in the queue, then a notice if something was dropped."""
        with self._turn:
            taken = self._queue.first(1 if self._singly else self._transport.batch)
        if taken:
            self._deliver(taken)
        if self._notable() and self._left_s() > 0:
            self._confess()

    def _deliver(self, taken: list[Waiting]) -> None:
        try:
            records = [self._record(waiting.alert) for waiting in taken]
            self._transport.send(records)
        except RefusedError as error:
            if len(taken) == 1:
                self._refused(taken, error)
            self._singly = len(taken)
            return
        with self._turn:
            self._queue.done(taken)
        self._sent += len(taken)
        self._singly = max(self._singly - 1, 0)
        for waiting in taken:
            self._refusals.pop(waiting.alert["id"], None)
        self._works()

    def _record(self, alert: Alert) -> Record:
        try:
            return Record(alert, self._settings.shape(alert))
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedError(f"an alert does not fit the format: {error!r}") from error

    def _refused(self, taken: list[Waiting], error: RefusedError) -> None:
        """Put a refused alert behind the others, or drop it where others are taken."""
        alert = taken[0].alert
        refusals, sent = self._refusals.get(alert["id"], (0, self._sent))
        self._refusals[alert["id"]] = (refusals + 1, sent)
        drop = refusals + 1 >= _REFUSALS and self._sent > sent
        with self._turn:
            self._queue.done(taken)
            if drop:
                self._queue.toll.lost += Losses(refused=1)
                del self._refusals[alert["id"]]
            else:
                self._queue.put(alert)
        raise error

    def _notable(self) -> Losses:
        return self._queue.toll.untold

    def _confess(self) -> None:
        """Say here that alerts are missing here."""
        lost = self._notable()
        said = f"{counted(lost.total, 'alert')} for {self.name} had to be dropped"
        why = [f"{lost.full:,} when its queue was full"] if lost.full else []
        why += [f"{lost.refused:,} that it refused"] if lost.refused else []
        sentence = f"{said}: {', '.join(why)}."
        line = notice.build("dropped", sentence, self._host, time.time_ns(), lost.as_dict())
        self._transport.send([self._record(line)])
        with self._turn:
            self._queue.told(lost)
            self._full_said = False
        self._say(sentence)

    def _works(self) -> None:
        self._backoff.reset()
        if self._failing:
            self._failing = ""
            self._say(f"{self.name} takes alerts again")

    def _fails(self, error: Exception) -> None:
        """Note why, and wait before the next try."""
        if not self._failing:
            self._say(f"alerts wait for {self.name}: {error}")
        self._failing = str(error)
        asked_s = error.after_s if isinstance(error, DeliveryError) else 0.0
        wait_s = max(self._backoff.next_s(), min(asked_s, _LONGEST_WAIT_S))
        until_s = time.monotonic() + wait_s
        with self._turn:
            while (left_s := until_s - time.monotonic()) > 0:
                if self._deadline_s is not None:
                    left_s = min(left_s, _LAST_WAITS_S, self._left_s())
                    self._turn.wait(max(left_s, 0))
                    return
                self._turn.wait(left_s)

    def _left_s(self) -> float:
        """Seconds until it must have ended; endless before it is stopped."""
        if self._deadline_s is None:
            return float("inf")
        return max(self._deadline_s - time.monotonic(), 0.0)


def _undelivered(alerts: int) -> str:
    return f"{counted(alerts, 'alert')} {'was' if alerts == 1 else 'were'} not delivered"
