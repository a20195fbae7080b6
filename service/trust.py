"""Models that come from elsewhere, and whether they are of somebody who is trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from oddcall.models.errors import SettingError, reason

if TYPE_CHECKING:
    from oddcall.models.model import Model


def named_model(path: Path, trusted_key: Path | None) -> Model:
    """Load a bundle that a person named.

    Parameters
    ----------
    path : Path
    trusted_key : Path or None
        File of an Ed25519 public key, PEM. When given, it must have signed the bundle.

    Raises
    ------
    BundleError
        When the bundle cannot be used, or is not signed by that key.
    SettingError
        When the key cannot be read, or is none.
    """
    from oddcall.models.bundle import load_bundle

    return load_bundle(path, trusted_keys=[_trusted_key_in(trusted_key)] if trusted_key else ())


def key_in(path: Path) -> bytes:
    """Read a key.

    Raises
    ------
    SettingError
        When the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingError(
            f"the key {path} cannot be read",
            expected="a file with an Ed25519 key in PEM",
            got=reason(error),
            fix="Make a pair: openssl genpkey -algorithm ed25519 -out key.pem; "
            "openssl pkey -in key.pem -pubout -out public.pem",
        ) from error


def signing_key_in(path: Path) -> bytes:
    """Read a key to sign by, and try it.

    Raises
    ------
    SettingError
        When the file cannot be read, is no Ed25519 private key in PEM, or signing is not
        installed.
    """
    from oddcall.models.bundle.signing import require_private

    key = key_in(path)
    require_private(key, f"the key {path}")
    return key


def _trusted_key_in(path: Path) -> bytes:
    from oddcall.models.bundle.signing import require_public

    key = key_in(path)
    require_public(key, f"the trusted key {path}")
    return key
