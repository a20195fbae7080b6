"""Ed25519 signatures (RFC 8032) over a bundle's manifest. Needs the extra ``signing``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oddcall.models.errors import SettingError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_MAKE = {
    "private": "openssl genpkey -algorithm ed25519 -out key.pem",
    "public": "openssl pkey -in key.pem -pubout -out public.pem",
}


def require_private(pem: bytes, name: str) -> None:
    """Try a key to sign by, which errors call ``name``.

    Raises
    ------
    SettingError
        When it is no Ed25519 private key in PEM without a password, or signing is not installed.
    """
    _private(pem, name)


def require_public(pem: bytes, name: str) -> None:
    """Try a key to trust, which errors call ``name``.

    Raises
    ------
    SettingError
        When it is no Ed25519 public key in PEM, or signing is not installed.
    """
    _public(pem, name)


def sign(message: bytes, private_key: bytes) -> bytes:
    """Sign ``message``; the answer is the public key (32 bytes) and the signature (64).

    Raises
    ------
    SettingError
        When ``private_key`` is no Ed25519 key in PEM, or signing is not installed.
    """
    key = _private(private_key)
    return key.public_key().public_bytes_raw() + key.sign(message)


def signed(message: bytes, signature: bytes, trusted_keys: Sequence[bytes]) -> bool:
    """Whether the holder of one of the trusted keys signed ``message``.

    Raises
    ------
    SettingError
        When a trusted key is no Ed25519 public key in PEM, or signing is not installed.
    """
    trusted = {key.public_bytes_raw(): key for key in map(_public, trusted_keys)}
    if len(signature) != _KEY_BYTES + _SIGNATURE_BYTES:
        return False
    named = signature[:_KEY_BYTES]
    return named in trusted and _holds(trusted[named], signature[_KEY_BYTES:], message)


def _holds(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _private(pem: bytes, name: str = "the key") -> Ed25519PrivateKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise _not_installed() from error
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise _no_key(name, "private", "a key with a password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(name, "private", _what(pem)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(name, "private", f"a key of another kind, {type(key).__name__}")
    return key


def _public(pem: bytes, name: str = "the key") -> Ed25519PublicKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError as error:
        raise _not_installed() from error
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(name, "public", _what(pem)) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(name, "public", f"a key of another kind, {type(key).__name__}")
    return key


def _not_installed() -> SettingError:
    return SettingError(
        "signatures are not installed",
        expected="the extra `signing`",
        fix="Install it: pip install 'oddcall[signing]'",
    )


def _no_key(name: str, kind: str, got: str) -> SettingError:
    return SettingError(
        f"{name} cannot be used",
        expected=f"an Ed25519 {kind} key in PEM without a password",
        got=got,
        fix=f"Make one: {_MAKE[kind]}",
    )


def _what(content: bytes) -> str:
    """Say what there is instead of a key; nothing of what is in it but the label of a PEM."""
    label = _LABEL.search(content)
    return f"a {label[1].decode()} that cannot be read as one" if label else "no PEM"
