"""Who may see the page: the owner of the watch, and whoever knows the key."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from oddcall.models.errors import SettingError
from oddcall.models.storage import storage_error
from oddcall.service.web.peer import Address, owner
from oddcall.service.web.section import WebSection

#: Of the cookie that stands for the key once it was given.
COOKIE = "oddcall"


@dataclass(frozen=True, slots=True)
class Access:
    """What a visitor must show.

    Attributes
    ----------
    key : str
        The token, or a key made for this state directory where none is set.
    guarded : bool
        Whether a token is set: then everybody must know it.
    names : frozenset of str
        Names under which visitors may reach the page, beside addresses and ``localhost``.
    """

    key: str = field(repr=False)
    guarded: bool = False
    names: frozenset[str] = frozenset()

    @property
    def cookie(self) -> str:
        """What a browser keeps instead of the key."""
        return hashlib.sha256(b"oddcall cookie " + self.key.encode()).hexdigest()

    def knows(self, key: str) -> bool:
        """Whether this is the key; takes as long for any."""
        return hmac.compare_digest(key.encode(), self.key.encode())

    def remembers(self, cookie: str) -> bool:
        """Whether this is the cookie; takes as long for any."""
        return hmac.compare_digest(cookie.encode(), self.cookie.encode())

    def owns(self, client: Address | None, server: Address | None) -> bool:
        """Whether root, or who runs the watch, has the other end, on this host.

        Never where a token is set: what connects may be a proxy for others.
        """
        if self.guarded or client is None or server is None:
            return False
        if not ipaddress.ip_address(client[0]).is_loopback:
            return False
        return owner(client, server) in {0, os.geteuid()}

    def named(self, host: str) -> bool:
        """Whether a Host header is one of ours.

        A page of somebody else's may point its name at this address and have a browser read
        us as its own (DNS rebinding): that needs a name, so an address is always right.
        """
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        name = name.strip("[]").lower()
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self.names
        return True


def open_access(section: WebSection, state: Path) -> Access:
    """Read the token, or the key of the state directory, which is made where there is none.

    Raises
    ------
    SettingError
        When the token's file cannot be used.
    StorageError
        When the key cannot be written.
    """
    names = frozenset({"localhost", os.uname().nodename.lower(), *section.names})
    if section.token:
        return Access(section.token.value, True, names)
    if section.token_file:
        return Access(_token(section.token_file), True, names)
    return Access(_own_key(state / "web.key"), False, names)


def _token(file: Path) -> str:
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(
            f"the token file {file} cannot be read",
            got=str(error),
            fix="Correct the setting web.token_file.",
        ) from error
    if len(token) < 16 or not token.isascii():
        raise SettingError(
            f"the token in {file} is not usable",
            expected="16 characters or more, in ASCII",
            got=f"{len(token)}",
            fix=f"Type: openssl rand -hex 16 > {file}",
        )
    return token


def _own_key(file: Path) -> str:
    try:
        return file.read_text("ascii").strip() or _made(file)
    except FileNotFoundError:
        return _made(file)
    except (OSError, UnicodeDecodeError):
        return secrets.token_urlsafe(24)


def _made(file: Path) -> str:
    key = secrets.token_urlsafe(24)
    try:
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as made:
            made.write(key + "\n")
    except OSError as error:
        raise storage_error(file, error) from error
    return key
