"""A model that is named is used only if it is of somebody who is trusted, where that is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from oddcall.service.cli import run
from oddcall.training.recording import RecordingWriter

from .conftest import METADATA


def keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a pair: the file that signs, the file that is trusted."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


@pytest.fixture
def clean(tmp_path: Path, ordinary: list[Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a recording to learn from and to judge."""
    monkeypatch.setenv("ODDCALL_STATE_DIR", str(tmp_path / "state"))
    with RecordingWriter(tmp_path / "clean", METADATA) as writer:
        for batch in ordinary:
            writer.append(batch)
    return tmp_path / "clean"


def test_only_who_is_trusted_is_believed(
    tmp_path: Path, clean: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bundle signed by the trusted key judges; unsigned, or by another's, it is refused."""
    ours, trusted = keys(tmp_path, "ours")
    theirs, _ = keys(tmp_path, "theirs")
    signed, foreign, plain = (tmp_path / f"{name}.oddcall" for name in ("a", "b", "c"))
    assert run(["train", str(clean), "-o", str(signed), "--sign", str(ours)]) == 0
    assert run(["train", str(clean), "-o", str(foreign), "--sign", str(theirs)]) == 0
    assert run(["train", str(clean), "-o", str(plain)]) == 0

    def judged(model: Path) -> int:
        return run(["replay", str(clean), "--model", str(model), "--json"])

    assert [judged(model) for model in (signed, foreign, plain)] == [0, 0, 0]
    monkeypatch.setenv("ODDCALL_TRUSTED_KEY", str(trusted))
    capsys.readouterr()
    assert [judged(model) for model in (signed, foreign, plain)] == [0, 6, 6]
    said = capsys.readouterr().err
    assert all(f"the bundle {path} is not trusted" in said for path in (foreign, plain))
    what_if = ["--model", str(signed), "--what-if", f"model={plain}"]
    assert run(["replay", str(clean), *what_if]) == 6
    asked = ["evaluate", "recordings", "--model", str(plain), "--test", str(clean)]
    assert run(asked) == 6
    assert run(["advise", "seccomp", "nginx", "--model", str(plain)]) == 6


def no_keys(folder: Path) -> list[Path]:
    """Make files that are no key to sign by: none, text, another kind, one with a password."""
    text, other, locked = (folder / name for name in ("text", "other.pem", "locked.pem"))
    text.write_text("no key")
    ours, plain = Ed25519PrivateKey.generate(), NoEncryption()
    elliptic = generate_private_key(SECP256R1())
    other.write_bytes(elliptic.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, plain))
    phrase = BestAvailableEncryption(b"phrase")
    locked.write_bytes(ours.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, phrase))
    return [folder / "none", text, other, locked]


def test_a_key_that_is_none_is_refused_before_anything_is_learned(
    tmp_path: Path, clean: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key that is missing or of another kind is named, with how to make one; nothing is read."""
    output, gone = tmp_path / "m.oddcall", clean.with_name("gone")
    # A recording that is not there is told of as soon as learning begins, by exit code 5.
    assert run(["train", str(gone), "-o", str(output)]) == 5
    found = []
    for key in [*no_keys(tmp_path), keys(tmp_path, "ours")[1]]:
        capsys.readouterr()
        assert run(["train", str(gone), "-o", str(output), "--sign", str(key)]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert f"the key {key} cannot be " in said
        assert "openssl genpkey -algorithm ed25519" in said
        found.append(said[said.index("; got ") + 6 :].partition(". ")[0])
    # Another library calls its class otherwise.
    assert [got.partition(",")[0] for got in found] == [
        "no such file or directory",
        "no PEM",
        "a key of another kind",
        "a key with a password",
        "a PUBLIC KEY that cannot be read as one",
    ]
    assert not output.exists()


def test_a_trusted_key_that_is_none_is_named(
    tmp_path: Path, clean: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A private key in place of the public one is told with its file, and how to make the other."""
    ours, _ = keys(tmp_path, "ours")
    model = tmp_path / "m.oddcall"
    assert run(["train", str(clean), "-o", str(model), "--sign", str(ours)]) == 0
    monkeypatch.setenv("ODDCALL_TRUSTED_KEY", str(ours))
    capsys.readouterr()
    assert run(["replay", str(clean), "--model", str(model)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"the trusted key {ours} cannot be used; " in said
    assert "got a PRIVATE KEY that cannot be read as one. " in said
    assert "openssl pkey -in key.pem -pubout" in said
