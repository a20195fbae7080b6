"""What a person sees while a command runs: a live picture on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

from oddcall.models.errors import reason
from oddcall.service.quantities import counted

if TYPE_CHECKING:
    from rich.console import RenderableType


#: No eye follows faster.
_REDRAW_S = 0.2
#: Columns of a bar that is full.
_BAR = 40
#: Lines of the terminal that the table leaves to what was said above and to the status.
_SPARE = 9


@dataclass(frozen=True, slots=True)
class Status:
    """How things stand.

    Attributes
    ----------
    line : str
        In one line; all that a plain screen shows.
    done : float or None
        Part that is done, 0 to 1, where there is an end.
    columns, rows
        A table for a live screen; the first column is left-aligned, numbers right.
    pace_s : float or None
        Seconds to the next line on a plain screen, where that differs from the screen's own.
    """

    line: str
    done: float | None = None
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    pace_s: float | None = None


class Screen(Protocol):
    """Shows lines that stay and a status that is replaced."""

    colour: bool

    def say(self, text: str) -> None:
        """Show lines that stay."""

    def show(self, status: Status) -> None:
        """Replace the status."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class _Outlet:
    """Writes for people, as far as that goes: a full disk or a gone terminal ends nobody's work.

    Only a reader that has left a pipe does: BrokenPipeError.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._missed, self._why = stream, 0, ""

    def _tried(self, write: Callable[[], object], lines: int = 0) -> bool:
        """Write something that is so many lines; False where it could not be written."""
        try:
            write()
        except BrokenPipeError:
            raise
        except OSError as error:
            self._missed, self._why = self._missed + lines, reason(error)
            self._let_go()
            return False
        return True

    def _let_go(self) -> None:
        """Keep nothing of what could not be written."""

    def _told(self, write: Callable[[str], object], text: str) -> None:
        """Write lines, and before them how many were missed."""
        lines = text.count("\n") + 1
        if self._missed:
            missed = f"{counted(self._missed, 'line')} could not be shown when due ({self._why})"
            missed = f"\n{missed}"  # the first of them may have been cut short
            # First what the stream holds: it would gather one such line after another.
            if not (self._tried(self._stream.flush) and self._tried(lambda: write(missed))):
                self._missed += lines
                return
            self._missed = 0
        self._tried(lambda: write(text), lines)


class Plain(_Outlet):
    """Lines only; of the statuses one every ``every_s`` seconds.

    Parameters
    ----------
    stream : TextIO
    every_s : float, default 10.0
    now : callable, default time.monotonic
    first_s : float, default 0.0
        Seconds until the first: a line cannot be taken back, and before an error that comes at
        once it would stand for nothing.
    """

    colour = False

    def __init__(
        self,
        stream: TextIO,
        every_s: float = 10.0,
        now: Callable[[], float] = time.monotonic,
        first_s: float = 0.0,
    ) -> None:
        super().__init__(stream)
        self._every_s, self._now = every_s, now
        self._next_s = now() + first_s

    def say(self, text: str) -> None:
        """Write lines at once."""
        self._told(self._write, text)

    def show(self, status: Status) -> None:
        """Write the status if the last one is old enough."""
        if self._now() >= self._next_s:
            self._next_s = self._now() + (status.pace_s or self._every_s)
            done = "" if status.done is None else f" ({status.done:.0%})"
            self.say(status.line + done)

    def close(self) -> None:
        """Do nothing: every line is written."""

    def _write(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


class Live(_Outlet):
    """A picture at the foot of a terminal, redrawn in place; said lines scroll above it."""

    colour = True

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        super().__init__(stream)
        self._console = Console(file=stream, highlight=False)
        self._live = RichLive(console=self._console, auto_refresh=False, transient=True)
        self._tried(self._live.start)
        self._next_s = 0.0

    def say(self, text: str) -> None:
        """Write lines above the picture."""
        from rich.text import Text

        self._told(lambda line: self._console.print(Text.from_ansi(line)), text)

    def show(self, status: Status) -> None:
        """Redraw the picture, a few times a second at most."""
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + _REDRAW_S
        picture = _picture(status, self._console.height - _SPARE)
        self._tried(lambda: self._live.update(picture, refresh=True))

    def close(self) -> None:
        """Remove the picture."""
        self._tried(self._live.stop)

    def _let_go(self) -> None:
        # A console keeps it for the next time, and there may be thousands.
        with suppress(OSError), self._console.capture():
            pass


def open_screen(stream: TextIO, every_s: float = 10.0, first_s: float = 0.0) -> Screen:
    """Choose what the stream can show; where that is lines, see `Plain` for how often."""
    return Live(stream) if stream.isatty() else Plain(stream, every_s, first_s=first_s)


def _picture(status: Status, height: int) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    if status.rows:
        parts += [_table(status, max(height, 1)), Text("")]
    if status.done is not None:
        full = round(_BAR * min(max(status.done, 0.0), 1.0))
        parts.append(Text("━" * full, style="green").append("━" * (_BAR - full), style="dim"))
    parts.append(Text(status.line, style="bold", overflow="ellipsis", no_wrap=True))
    return Group(*parts)


def _table(status: Status, height: int) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for i, column in enumerate(status.columns):
        table.add_column(column, justify="right" if i else "left", no_wrap=True)
    for row in status.rows[:height]:
        table.add_row(*row)
    if len(status.rows) > height:
        table.add_row(f"and {len(status.rows) - height} more", style="dim")
    return table
