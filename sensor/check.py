"""One line of doctor."""

from __future__ import annotations

from dataclasses import dataclass

from oddcall.models.errors import OddcallError


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, and how it stands.

    Attributes
    ----------
    name : str
    ok : bool
        False where the sensor cannot run, or would miss what it promises to see.
    detail : str
        What was found.
    fix : str
        What to type or change; ``""`` where nothing is wrong.
    missed : str
        What will not be seen as things are, as a clause; ``""`` where nothing is missed by it.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""
    missed: str = ""

    @classmethod
    def failed(cls, name: str, error: OddcallError, missed: str = "") -> Check:
        """Turn what was raised into a check that failed."""
        what = f"{error.what}: {error.got}" if error.got else error.what
        return cls(name, ok=False, detail=what, fix=error.fix, missed=missed)
