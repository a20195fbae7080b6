"""What a watch has learned beyond its baseline, over restarts: one program a line.

It lies in the state directory, and beside a recording that ``watch`` keeps as it was when that
began, so that judging it again begins from the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oddcall.models.errors import RecordingError, StorageError
from oddcall.models.storage import write_whole

if TYPE_CHECKING:
    from oddcall.models.learned import Learned

NAME = "learned.jsonl"
#: Seconds between two times it is written: a mean moves a ninety-sixth of a day's way in them.
_EVERY_S = 900.0


class Memory:
    """Writes down what was learned, now and then and at the end.

    Parameters
    ----------
    folder : Path
    say : callable
        Told once when it cannot be written.
    clock : callable, default the time since the host began
        Seconds.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._say = folder, say
        self._learned: Callable[[], Sequence[Learned]] = list
        self._clock, self._written_s = clock, clock()
        self._seen = False
        self._failed = False

    def saw(self, learned: Callable[[], Sequence[Learned]]) -> None:
        """Take one tick; ``learned`` gives what is known by then."""
        self._learned, self._seen = learned, True
        if self._clock() - self._written_s >= _EVERY_S:
            self._written_s = self._clock()
            self.write()

    def write(self) -> None:
        """Write down what is known, if anything was seen."""
        if not self._seen:
            return
        try:
            write(self._folder, self._learned())
        except StorageError as error:
            if not self._failed:
                self._say(f"{error} What is learned while watching will not outlive this watch.")
            self._failed = True


def recalled(folder: Path) -> list[Learned]:
    """Read what an earlier watch wrote there; nothing where none did.

    Raises
    ------
    RecordingError
        When it cannot be read.
    """
    # A watch without a model learns first, and does without the arithmetic till then.
    from oddcall.models.learned import Learned

    path = folder / NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Learned.from_dict(json.loads(line)) for line in lines]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RecordingError(
            f"{path} cannot be read",
            got=str(error),
            fix="Remove it: baselines begin again as they were trained.",
        ) from error


def write(folder: Path, learned: Sequence[Learned]) -> None:
    """Write down what was learned; raises StorageError when the place cannot be written."""
    lines = [json.dumps(one.as_dict()) + "\n" for one in learned]
    write_whole(folder / NAME, "".join(lines).encode())
