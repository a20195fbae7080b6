"""The file of a model bundle: one zip of a manifest, plain arrays, and perhaps a signature.

::

    host.oddcall
    ├── manifest.json        schema, what the model says of itself, sha256 of every array
    ├── arrays/NAME.npy      numbers only, no pickle
    └── signature            Ed25519 over manifest.json: public key (32 bytes), signature (64)

Nothing in it is code, and reading runs none. The same model gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from numpy.typing import NDArray

from oddcall.models.bundle import signing
from oddcall.models.bundle.arrays import from_npy, to_npy
from oddcall.models.errors import BundleError, reason
from oddcall.models.storage import write_whole

#: Another number is another layout, or another meaning of a key of the manifest.
SCHEMA_VERSION = "1"

_MANIFEST, _SIGNATURE = "manifest.json", "signature"
_ARRAY = re.compile(r"arrays/([A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*)\.npy")
#: Keys of the manifest that this layer writes and checks.
_OURS = {"schema", "members"}

#: A bundle of a thousand programs takes a few megabytes; these stop a file made to fill memory.
MAX_FILE_BYTES = 256 << 20
MAX_CONTENT_BYTES = 1 << 30
MAX_MEMBERS = 50_000
_MAX_MANIFEST_BYTES = 64 << 20

_TRAIN = "Train one with: oddcall train DIR -o host.oddcall"
_AGAIN = "Copy it anew from where it was made, or train anew."
#: What the zip and JSON readers raise on content that is not what it says.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Archive:
    """What a bundle's file holds.

    Attributes
    ----------
    manifest : dict
        As the model gave it.
    arrays : dict of str to array
    """

    manifest: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def write_archive(
    path: Path | str,
    manifest: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    *,
    signing_key: bytes | None = None,
) -> None:
    """Write a bundle whole or not at all.

    Parameters
    ----------
    manifest : mapping
        JSON values; the keys ``schema`` and ``members`` are this layer's own.
    arrays : mapping of str to array
        Numbers by name; a name is words of letters, digits, ``_``, ``-``, ``.`` split by ``/``.
    signing_key : bytes, optional
        Ed25519 private key, PEM.

    Raises
    ------
    ValueError
        For a manifest, name or array that a bundle cannot hold.
    StorageError
        When the file cannot be written; what was there before is whole.
    SettingError
        When the key is none, or signing is not installed.
    """
    members = {f"arrays/{name}.npy": to_npy(array) for name, array in sorted(arrays.items())}
    misnamed = [name for name in members if not _named(name)]
    if misnamed or _OURS & manifest.keys():
        raise ValueError(f"not for a bundle: {misnamed or sorted(_OURS & manifest.keys())}")
    document = {"schema": SCHEMA_VERSION, **manifest, "members": _hashes(members)}
    text = json.dumps(document, indent=1, allow_nan=False).encode("ascii")
    whole = {_MANIFEST: text, **members}
    if signing_key is not None:
        whole[_SIGNATURE] = signing.sign(text, signing_key)
    write_whole(Path(path), _zipped(whole))


def read_archive(path: Path | str, *, trusted_keys: Sequence[bytes] = ()) -> Archive:
    """Read a bundle, checking every hash. Runs nothing that is in it.

    Parameters
    ----------
    trusted_keys : sequence of bytes, optional
        Ed25519 public keys, PEM. When given, one of them must have signed the bundle.

    Raises
    ------
    BundleError
        When the file is missing, foreign, damaged, of another schema, too large, or not
        signed by a trusted key.
    SettingError
        When a trusted key is none, or signing is not installed.
    """
    place = Path(path)
    content = _read_file(place)
    try:
        members = _members(place, content)
        text = members.pop(_MANIFEST)
        signature = members.pop(_SIGNATURE, b"")
        _check_signature(place, text, signature, trusted_keys)
        manifest = _manifest(place, text)
        _check_hashes(place, manifest.pop("members"), members)
        arrays = {_named(name): from_npy(member) for name, member in members.items()}
    except _BROKEN as error:
        raise BundleError(
            f"the bundle {place} is foreign or damaged",
            expected="a model written by oddcall train",
            got=_reason(error),
            fix=_AGAIN,
        ) from error
    del manifest["schema"]
    return Archive(manifest, arrays)


def _named(member: str) -> str:
    """Name of the array in a member, or "" when the member is none."""
    found = _ARRAY.fullmatch(member)
    return found[1] if found else ""


def _hashes(members: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}


def _zipped(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            # ZipInfo's default date, so that the same model gives the same bytes.
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def _read_file(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            _refuse(path, f"at most {MAX_FILE_BYTES >> 20} MiB", "a larger file")
        return path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"cannot read a model bundle at {path}",
            got=reason(error),
            fix=_TRAIN,
        ) from error


def _members(path: Path, content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        unknown = [n for n in names if n not in (_MANIFEST, _SIGNATURE) and not _named(n)]
        if unknown:
            _refuse(path, "a manifest, arrays and a signature", f"a member {unknown[0][:80]!r}")
        if len(set(names)) < len(names):
            _refuse(path, "every member once", "one twice")
        if _MANIFEST not in names:
            _refuse(path, f"a member {_MANIFEST}", "none")
        _check_sizes(path, entries)
        return {entry.filename: archive.read(entry) for entry in entries}


def _check_sizes(path: Path, entries: Sequence[zipfile.ZipInfo]) -> None:
    # The reader stops at the size that an entry declares, so what is declared is the bound.
    if len(entries) > MAX_MEMBERS or sum(e.file_size for e in entries) > MAX_CONTENT_BYTES:
        _refuse(path, f"at most {MAX_CONTENT_BYTES >> 20} MiB of content", "more")
    if any(e.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for e in entries):
        _refuse(path, "deflated members", "another compression")
    if any(e.filename == _MANIFEST and e.file_size > _MAX_MANIFEST_BYTES for e in entries):
        _refuse(path, f"a manifest of at most {_MAX_MANIFEST_BYTES >> 20} MiB", "a larger one")


def _check_signature(
    path: Path, text: bytes, signature: bytes, trusted_keys: Sequence[bytes]
) -> None:
    if trusted_keys and not signing.signed(text, signature, trusted_keys):
        raise BundleError(
            f"the bundle {path} is not trusted",
            expected="a signature by a trusted key",
            got="one by another key or of another content" if signature else "none",
            fix="Have it signed by the holder of a trusted key, or train on this host.",
        )


def _manifest(path: Path, text: bytes) -> dict[str, Any]:
    document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    if not isinstance(document, dict) or not isinstance(document.get("members"), dict):
        _refuse(path, "a manifest with schema and members", "another document")
    if document.get("schema") != SCHEMA_VERSION:
        raise BundleError(
            f"the bundle {path} is of another schema version",
            expected=SCHEMA_VERSION,
            got=str(document.get("schema"))[:40],
            fix="Use the version of oddcall that wrote it, or train anew.",
        )
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a key of the manifest is there twice")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} in the manifest")


def _check_hashes(path: Path, promised: Mapping[str, str], members: Mapping[str, bytes]) -> None:
    if promised.keys() != members.keys():
        odd = min(promised.keys() ^ members.keys())
        _refuse(path, "the arrays that its manifest lists", f"{odd[:80]!r} in one of them only")
    for name, found in _hashes(members).items():
        if promised[name] != found:
            _refuse(path, f"the sha256 of its manifest for {name}", "another")


def _refuse(path: Path, expected: str, got: str) -> NoReturn:
    raise BundleError(
        f"the bundle {path} is not to be trusted", expected=expected, got=got, fix=_AGAIN
    )


def _reason(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".")[:160] if text else type(error).__name__
