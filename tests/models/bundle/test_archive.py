"""The file of a bundle: whole or refused, and never a way to run code."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from oddcall.models.bundle import archive as archive_module
from oddcall.models.bundle.archive import Archive, read_archive, write_archive
from oddcall.models.bundle.arrays import from_npy, to_npy
from oddcall.models.errors import BundleError, SettingError, StorageError

MANIFEST: dict[str, Any] = {
    "feature_spec": "f00d",
    "provenance": {"hosts": ["web1"], "windows": {"nginx": 612}},
    "calibration": [0.5, 1e-9, -3],
    "odd": "Zürich \udc80",
}
ARRAYS = {
    "mean": np.linspace(0, 1, 7),
    "programs/0/seen": np.array([True, False, True]),
    "programs/0/table": np.arange(6, dtype=np.int32).reshape(2, 3),
    "programs/1/empty": np.zeros((0, 4), np.float32),
    "scalar": np.array(3, np.uint8),
}

dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="="),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
)


def equal(one: Archive, other: Archive) -> bool:
    """Tell whether two archives hold the same."""
    return (
        one.manifest == other.manifest
        and one.arrays.keys() == other.arrays.keys()
        and all(np.array_equal(one.arrays[k], other.arrays[k]) for k in one.arrays)
    )


def pems(key: Ed25519PrivateKey) -> tuple[bytes, bytes]:
    """Give a private and a public key as files hold them."""
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )


def crafted(path: Path, content: dict[str, bytes], **manifest: object) -> Path:
    """Write an archive whose hashes hold but whose content is anything."""
    document = {
        "schema": "1",
        "members": {k: hashlib.sha256(v).hexdigest() for k, v in content.items()},
        **manifest,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("manifest.json", json.dumps(document))
        for name, member in content.items():
            out.writestr(name, member)
    return path


@settings(deadline=None)
@given(array=hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)))
def test_npy_round_trip(array: np.ndarray) -> None:
    """Every array of plain numbers comes back in value, type and shape, as numpy reads it too."""
    content = to_npy(array)
    back = from_npy(content)
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)
    np.testing.assert_array_equal(np.load(io.BytesIO(content), allow_pickle=False), array)


@pytest.mark.parametrize(
    "array",
    [
        np.array([{}]),
        np.array(["text"]),
        np.zeros(2, "c16"),
        np.zeros(1, "i4,f8"),
        np.zeros([1] * 5),
    ],
)
def test_npy_refuses_other_kinds(array: np.ndarray) -> None:
    """Objects, strings, structures and the like are not written."""
    with pytest.raises(ValueError, match="is not kept"):
        to_npy(array)


@settings(deadline=None, max_examples=300)
@given(content=st.binary(max_size=300), text=st.text(alphabet="{}'(),:<f8|O descrshapeTrue\n"))
def test_npy_refuses_anything_else(content: bytes, text: str) -> None:
    """Bytes of no array, and headers of another form, are a ValueError and nothing else."""
    header = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin-1")
    for odd in (content, header, header + content):
        with pytest.raises(ValueError, match="array"):
            from_npy(odd)


def test_round_trip(tmp_path: Path) -> None:
    """What is written is what is read, and writing it again gives the same bytes."""
    for name in "ab":
        write_archive(tmp_path / name, MANIFEST, ARRAYS)
    assert equal(read_archive(tmp_path / "a"), Archive(MANIFEST, ARRAYS))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_damage(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Any byte flipped, or any tail cut, gives a BundleError or an equal model, nothing else."""
    path = tmp_path_factory.mktemp("damage") / "m.oddcall"
    write_archive(path, MANIFEST, ARRAYS)
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    flip = data.draw(st.integers(0, 255))
    damaged = (
        content[:at] + bytes([content[at] ^ flip]) + content[at + 1 :] if flip else content[:at]
    )
    path.write_bytes(damaged)
    try:
        read = read_archive(path)
    except BundleError as error:
        said = str(error)
    else:
        said = ""
        assert equal(read, Archive(MANIFEST, ARRAYS))
    assert "\n" not in said


def test_every_byte_of_the_directory(tmp_path: Path) -> None:
    """The zip's own fields, where one bit changes what is read, are flipped bit by bit."""
    path = tmp_path / "m.oddcall"
    write_archive(path, {"a": 1}, {"x": np.ones(1)})
    content = path.read_bytes()
    whole = read_archive(path)
    for at in range(content.index(b"PK\x01\x02"), len(content)):
        for bit in range(8):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
            try:
                assert equal(read_archive(path), whole)
            except BundleError:
                continue


class Bomb:
    """Would leave a file behind if unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


def object_npy(mark: Path) -> bytes:
    """Give a .npy whose object dtype would make numpy unpickle its content."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickle.dumps(Bomb(mark))


def test_runs_no_code(tmp_path: Path) -> None:
    """An object array, a pickle and a module in the file are refused and never run."""
    mark = tmp_path / "ran"
    for name, content in {
        "arrays/x.npy": object_npy(mark),
        "arrays/y.npy": pickle.dumps(Bomb(mark)),
        "model.pkl": pickle.dumps(Bomb(mark)),
        "arrays/__init__.py": b"raise SystemExit",
    }.items():
        with pytest.raises(BundleError):
            read_archive(crafted(tmp_path / "m.oddcall", {name: content}))
    assert not mark.exists()


@pytest.mark.parametrize(
    "name",
    [
        "../x.npy",
        "/etc/passwd",
        "arrays/../../x.npy",
        "arrays//x.npy",
        "arrays/.x.npy",
        "arrays/a\\..\\b.npy",
        "arrays/x.npy/",
        "notes.txt",
    ],
)
def test_unknown_members(tmp_path: Path, name: str) -> None:
    """Paths that climb, absolute paths and members of no meaning are refused."""
    with pytest.raises(BundleError, match="a member"):
        read_archive(crafted(tmp_path / "m.oddcall", {name: to_npy(np.ones(1))}))


def test_manifest_must_match(tmp_path: Path) -> None:
    """A member that the manifest does not list, or lists with another hash, is refused."""
    path, good = tmp_path / "m.oddcall", to_npy(np.ones(1))
    with pytest.raises(BundleError, match="in one of them only"):
        read_archive(crafted(path, {"arrays/x.npy": good}, members={}))
    with pytest.raises(BundleError, match="sha256"):
        read_archive(crafted(path, {"arrays/x.npy": good}, members={"arrays/x.npy": "0" * 64}))
    with pytest.raises(BundleError, match="another document"):
        read_archive(crafted(path, {}, members=[]))
    with pytest.raises(BundleError, match="expected 1; got 2"):
        read_archive(crafted(path, {}, schema="2"))


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a": NaN}', '{"a":1,"a":2}', "[" * 10**5, "\xff"]
)
def test_manifest_is_json(tmp_path: Path, text: str) -> None:
    """Whatever stands in the manifest's place is a BundleError unless it is one."""
    with zipfile.ZipFile(tmp_path / "m.oddcall", "w") as out:
        out.writestr("manifest.json", text.encode("latin-1"))
    with pytest.raises(BundleError):
        read_archive(tmp_path / "m.oddcall")


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file that would unpack to a lot is refused before it is unpacked."""
    path = tmp_path / "bomb.oddcall"
    content = to_npy(np.zeros(2**21))
    crafted(path, {"arrays/x.npy": content})
    assert path.stat().st_size < len(content) / 100
    monkeypatch.setattr(archive_module, "MAX_CONTENT_BYTES", len(content) - 1)
    with pytest.raises(BundleError, match="of content; got more"):
        read_archive(path)
    monkeypatch.setattr(archive_module, "MAX_FILE_BYTES", 100)
    with pytest.raises(BundleError, match="a larger file"):
        read_archive(path)


def test_a_lie_about_size_is_found(tmp_path: Path) -> None:
    """A member that declares fewer bytes than it unpacks to is not read past what it declares."""
    path = crafted(tmp_path / "m.oddcall", {"arrays/x.npy": to_npy(np.zeros(10**5))})
    content = bytearray(path.read_bytes())
    declared = content.rindex(b"PK\x01\x02") + 24
    content[declared : declared + 4] = struct.pack("<I", 10)
    path.write_bytes(content)
    with pytest.raises(BundleError):
        read_archive(path)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + b"\0" * 18, b"\x7fELF", b"PAR1" * 9])
def test_foreign_files(tmp_path: Path, content: bytes) -> None:
    """An empty file, an empty zip and other files are named as no bundle."""
    (tmp_path / "m.oddcall").write_bytes(content)
    with pytest.raises(BundleError, match=r"m\.oddcall"):
        read_archive(tmp_path / "m.oddcall")


def test_missing(tmp_path: Path) -> None:
    """A missing bundle and a folder say how to train one."""
    for path in (tmp_path / "no.oddcall", tmp_path):
        with pytest.raises(BundleError, match="oddcall train"):
            read_archive(path)


def test_not_for_a_bundle(tmp_path: Path) -> None:
    """Names that could not be read back, reserved keys and NaN are refused when writing."""
    for manifest, arrays in (
        ({}, {"../x": np.ones(1)}),
        ({}, {"a b": np.ones(1)}),
        ({"members": 1}, {}),
        ({"x": float("nan")}, {}),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - the sentence differs
            write_archive(tmp_path / "m.oddcall", manifest, arrays)
    assert not list(tmp_path.iterdir())


def test_cannot_write(tmp_path: Path) -> None:
    """A missing folder, a folder and a device are a StorageError, and stay what they are."""
    with pytest.raises(StorageError, match="the folder does not exist"):
        write_archive(tmp_path / "no" / "m.oddcall", MANIFEST, ARRAYS)
    (tmp_path / "link").symlink_to("/dev/null")
    for path in (tmp_path, tmp_path / "link"):
        with pytest.raises(StorageError, match="not a file is there"):
            write_archive(path, MANIFEST, ARRAYS)
    assert Path("/dev/null").is_char_device()


def test_full_disk_keeps_the_old(tmp_path: Path) -> None:
    """When the new bundle does not fit, the old one is still there and nothing is left over."""
    path = tmp_path / "m.oddcall"
    write_archive(path, MANIFEST, {"x": np.ones(1)})
    script = (
        "import resource, sys, numpy as np\n"
        "from oddcall.models.bundle.archive import write_archive\n"
        "from oddcall.models.errors import StorageError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "noise = np.random.default_rng(0).random(10**4)\n"
        "try: write_archive(sys.argv[1], {}, {'x': noise})\n"
        "except StorageError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True
    )
    assert "limit on file sizes" in done.stdout
    assert read_archive(path).arrays["x"].tolist() == [1.0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.oddcall"]


def test_signature(tmp_path: Path) -> None:
    """With trusted keys only a bundle signed by one of them is read, unchanged since."""
    path = tmp_path / "m.oddcall"
    (private, public), (_, other) = (pems(Ed25519PrivateKey.generate()) for _ in range(2))
    write_archive(path, MANIFEST, ARRAYS, signing_key=private)
    signed = read_archive(path, trusted_keys=[other, public])
    assert equal(signed, read_archive(path))
    with pytest.raises(BundleError, match=r"is not trusted.*by another key"):
        read_archive(path, trusted_keys=[other])
    write_archive(path, MANIFEST, ARRAYS)
    with pytest.raises(BundleError, match=r"is not trusted.*got none"):
        read_archive(path, trusted_keys=[public])


def test_signature_of_another_content(tmp_path: Path) -> None:
    """A trusted signature taken over to another model does not make that one trusted."""
    private, public = pems(Ed25519PrivateKey.generate())
    for name, manifest in (("a", {"v": 1}), ("b", {"v": 2})):
        write_archive(tmp_path / name, manifest, {}, signing_key=private)
    with (
        zipfile.ZipFile(tmp_path / "a") as a,
        zipfile.ZipFile(tmp_path / "b") as b,
        zipfile.ZipFile(tmp_path / "c", "w") as c,
    ):
        c.writestr("manifest.json", a.read("manifest.json"))
        c.writestr("signature", b.read("signature"))
    assert read_archive(tmp_path / "c").manifest == {"v": 1}
    with pytest.raises(BundleError, match="is not trusted"):
        read_archive(tmp_path / "c", trusted_keys=[public])


def test_keys_of_another_kind(tmp_path: Path) -> None:
    """A key that is none, or of another kind, says how to make one."""
    curve = generate_private_key(SECP256R1())
    private = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = curve.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for key in (b"", b"nonsense", private):
        with pytest.raises(SettingError, match="openssl genpkey"):
            write_archive(tmp_path / "m", {}, {}, signing_key=key)
    write_archive(tmp_path / "m", {}, {})
    for key in (b"", b"nonsense", public):
        with pytest.raises(SettingError, match="openssl pkey"):
            read_archive(tmp_path / "m", trusted_keys=[key])


def test_signing_is_optional() -> None:
    """Reading an unsigned bundle needs no cryptography; asking for signatures names the extra."""
    script = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from oddcall.models.bundle import archive, signing\n"
        "from oddcall.models.errors import SettingError\n"
        "try: signing.sign(b'', b'')\n"
        "except SettingError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert "oddcall[signing]" in done.stdout
