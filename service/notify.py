"""Tell systemd how the watch stands: ready, in a line, and alive while it looks or waits to look.

The protocol is that of ``sd_notify(3)``: datagrams of ``NAME=value`` lines to the socket that
``NOTIFY_SOCKET`` names. Where there is none, nothing is sent.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from oddcall.service.board.board import Board
from oddcall.service.quantities import counted

if TYPE_CHECKING:
    from oddcall.sensor.sensor import Tick

#: Between two status lines: a person looks at them now and then.
_STATUS_S = 10.0


class Notifier:
    """Sends to the service manager.

    Parameters
    ----------
    environ : mapping, default os.environ
        ``NOTIFY_SOCKET``; ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` where it wants signs of life.
    now : callable, default time.monotonic
        Seconds.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        path = environ.get("NOTIFY_SOCKET", "")
        # A name that begins with @ lies in no folder: the kernel writes that as a zero byte.
        self._path = "\0" + path[1:] if path.startswith("@") else path
        wanted = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environ.get("WATCHDOG_USEC", "0")
        self.watchdog_s = int(usec) / 1e6 if wanted and usec.isdigit() else 0.0
        self._ready, self._said_s, self._lived_s = False, -_STATUS_S, -1e9

    def pass_on(self, ticks: Iterable[Tick], board: Board) -> Iterator[Tick]:
        """Yield every tick; each is a sign of life, as is waiting for one; the end is stopping."""
        try:
            for tick in ticks:
                self._tell(board)
                yield tick
        finally:
            self.send("STOPPING=1", "STATUS=stopping")

    def waiting(self) -> None:
        """Say, often while the next tick is waited for, that it is: ready, and alive."""
        self._tell()

    def send(self, *lines: str) -> None:
        """Send lines; a manager that does not listen is no reason to stop."""
        if not self._path:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as there:
                there.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, self._path)
        except OSError:
            pass

    def _tell(self, board: Board | None = None) -> None:
        now_s, lines = self._now(), []
        if not self._ready:
            self._ready = True
            lines.append("READY=1")
        # Four signs in the time that one is due: one or two may be late.
        if self.watchdog_s and now_s - self._lived_s >= self.watchdog_s / 4:
            self._lived_s = now_s
            lines.append("WATCHDOG=1")
        if board and now_s - self._said_s >= _STATUS_S:
            self._said_s = now_s
            lines.append(f"STATUS={status(board)}")
        if lines:
            self.send(*lines)


def status(board: Board) -> str:
    """Say how the watch stands, in a line."""
    if board.progress:
        return board.progress.line
    lost = sum(board.lost.values())
    return (
        f"{board.phase}: {counted(len(board.programs.rows), 'program')}, "
        f"{counted(board.windows, 'window')}, {counted(board.used_today, 'alert')} today, "
        f"lost {lost:,}"
    )
