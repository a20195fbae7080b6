"""What carries alerts out of the process: the one shape every way out has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from oddcall.models.errors import OddcallError
from oddcall.service.alerts.alert import Alert


class DeliveryError(OddcallError):
    """Alerts did not arrive, or nobody can know that they did: they are sent again.

    Parameters
    ----------
    after_s : float, default 0.0
        Seconds the other side asked to wait.
    """

    def __init__(
        self,
        what: str,
        *,
        expected: str = "",
        got: str = "",
        fix: str = "",
        after_s: float = 0.0,
    ) -> None:
        super().__init__(what, expected=expected, got=got, fix=fix)
        self.after_s = after_s


class RefusedError(DeliveryError):
    """The other side is there, and will not have this: too large, or not what it takes."""


@dataclass(frozen=True, slots=True)
class Record:
    """An alert or a notice on its way.

    Attributes
    ----------
    alert : dict
        The native object: what its envelope is made of.
    body : dict
        The same in the sink's format: what is sent.
    """

    alert: Alert
    body: Alert

    @property
    def id(self) -> str:
        """Id by which a second delivery can be told."""
        return str(self.alert["id"])

    @property
    def line(self) -> str:
        """The body on one line, in ASCII."""
        return json.dumps(self.body, separators=(",", ":"), allow_nan=False)


class Transport(Protocol):
    """Carries records to one place. Used by one thread at a time."""

    @property
    def batch(self) -> int:
        """Most records it takes at once."""

    def send(self, records: Sequence[Record]) -> None:
        """Deliver records, in order; returns once they have arrived.

        Raises
        ------
        DeliveryError
            When they have not, or not for sure; some of them may have.
        RefusedError
            When sending the same again can hardly help.
        """

    def reach(self) -> None:
        """Raise DeliveryError where the place cannot be reached; sends nothing."""

    def close(self) -> None:
        """Give everything back."""


def undelivered(place: str, error: Exception, fix: str = "") -> DeliveryError:
    """Say in one sentence why a place was not reached."""
    said = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return DeliveryError(f"{place} cannot be reached", got=said[:300], fix=fix)
