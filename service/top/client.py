"""Ask a running watch how it stands, at the address that it wrote into its state directory."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from oddcall.models.errors import OddcallError, SettingError
from oddcall.service.state import StateDir
from oddcall.service.web.address import Address, read, without

Json = dict[str, Any]
#: A watch that is busy answers late; one that hangs must not hang us.
_TIMEOUT_S = 5.0


class GoneError(OddcallError):
    """The watch does not answer."""


def find(state: Path) -> Address:
    """Find the running watch of a state directory.

    Raises
    ------
    SettingError
        When none runs, or it serves no page.
    PrivilegeError
        When its address may not be read.
    """
    if address := read(state):
        return address
    place = StateDir(state).path
    if why := without(state):
        raise SettingError(
            f"the watch with the state directory {place} serves no page, which this looks at",
            got=why,
            fix="Start it anew with its page (--web-port 0 takes any free port); "
            "`oddcall programs` says how its programs stand without that.",
        )
    raise SettingError(
        f"no watch runs with the state directory {place}",
        fix="Start one with `sudo oddcall watch`, or name its directory with --state-dir.",
    )


class Client:
    """Asks one watch; finds it again after it was started anew.

    Parameters
    ----------
    address : Address
    again : callable
        Gives the address as it is now: another start may have another port.
    """

    def __init__(self, address: Address, again: Callable[[], Address | None]) -> None:
        self._address, self._again = address, again

    def state(self) -> Json:
        """How everything stands; raises GoneError when the watch does not answer."""
        return self._ask("api/state")

    def program(self, key: str) -> Json | None:
        """One program's page; None when it is no longer known."""
        try:
            return self._ask(f"api/programs/{key}")
        except KeyError:
            return None

    def _ask(self, path: str) -> Json:
        try:
            return self._once(path)
        except (OSError, http.client.HTTPException) as error:
            if (now := self._again()) and now != self._address:
                self._address = now
            raise GoneError("the watch does not answer", got=str(error)) from error

    def _once(self, path: str) -> Json:
        place = urlsplit(self._address.url)
        asked = http.client.HTTPConnection(
            str(place.hostname), int(place.port or 80), timeout=_TIMEOUT_S
        )
        try:
            asked.request("GET", f"/{path}", headers={"authorization": self._bearer})
            answer = asked.getresponse()
            text = answer.read()
        finally:
            asked.close()
        if answer.status == 404:
            raise KeyError(path)
        if answer.status != 200:
            raise GoneError("the watch refuses to answer", got=f"status {answer.status}")
        told: Json = json.loads(text)
        return told

    @property
    def _bearer(self) -> str:
        return f"Bearer {self._address.key}"
