"""Public sets of labelled traces, each with the protocol its figures are reported under.

Nothing is fetched: the data are where the caller says, below the directory that
``ODDCALL_DATASETS`` names, or in ``shared/datasets`` beside the checkout.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from oddcall.models.errors import EvidenceError, RecordingError, SettingError
from oddcall.models.sparse import IntArray
from oddcall.training.traces.parsing.reading import read_traces, require_some
from oddcall.training.traces.parsing.tokens import call_token, numbered
from oddcall.training.traces.traces import Split, TraceSet, Vocabulary

_HERE = "ODDCALL_DATASETS"
_ADFA = "ADFA-LD.zip"
#: Lengths that Ring et al. keep, and the test normals they draw.
_RING_LENGTHS = (8, 4495)
_RING_NORMALS = 746
#: Bytes unpacked from one archive at most: an archive must not fill the memory.
_MOST_BYTES = 2_000_000_000


def datasets_root() -> Path:
    """Directory of the data sets; it need not exist."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "datasets"
    return Path(os.environ.get(_HERE) or beside)


def adfa_833(path: Path | None = None) -> Split:
    """ADFA-LD as its authors split it: 833 to learn from, 4,372 normal, 746 attacks.

    Creech and Hu 2013; Ubuntu 11.04, 32-bit call numbers. ``path`` is the archive, the
    directory that it unpacks to, or one that holds either, or an archive of each part.
    """
    return _adfa(path, "adfa-833")


def adfa_ring(path: Path | None = None, seed: int = 0) -> Split:
    """ADFA-LD as Ring et al. 2021 split it: all normals of 8 to 4,495 calls pooled.

    746 of them, drawn at random, are judged against the attacks; the others are learned from.
    """
    split = _adfa(path, "adfa-ring")
    pool = TraceSet.joined([split.train, split.normal])
    low, high = _RING_LENGTHS
    fit = np.flatnonzero((pool.lengths >= low) & (pool.lengths <= high))
    drawn = np.random.default_rng(seed).permutation(fit)
    if len(drawn) <= _RING_NORMALS:
        raise EvidenceError(
            "there are too few normal traces for the split of Ring et al.",
            expected=f"more than {_RING_NORMALS}",
            got=str(len(drawn)),
        )
    test, train = drawn[:_RING_NORMALS], np.sort(drawn[_RING_NORMALS:])
    return Split(f"adfa-ring {seed}", pool.take(train), pool.take(test), split.attack)


def mit_lpr(path: Path | None = None) -> Split:
    """MIT live lpr (Warrender, Forrest and Pearlmutter 1999), split by time.

    The first half of the normal processes is learned from. ``path`` is the directory that
    holds ``lpr-live-mit-new.tar.gz`` and ``exploit-ai.int.gz``, in folders or not.
    """
    root = path or datasets_root() / "mit-lpr"
    _require_packed(root)
    vocabulary = Vocabulary()
    normal = read_unm(_present(root, "lpr-live-mit-new.tar.gz"), vocabulary)
    attack = read_unm(_present(root, "exploit-ai.int.gz"), vocabulary)
    half = len(normal) // 2
    order = np.arange(len(normal))
    return Split("mit-lpr", normal.take(order[:half]), normal.take(order[half:]), attack)


def _require_packed(root: Path) -> None:
    """Raise SettingError where the archives were unpacked, with what to type instead."""
    normal = next((p for p in sorted(root.glob("lpr-live-mit*")) if p.is_dir()), None)
    if normal and not (root / "lpr-live-mit-new.tar.gz").exists():
        attack = next(iter(sorted(root.glob("exploit-ai*"))), root / "exploit-ai.int")
        raise SettingError(
            "--set mit-lpr is of the archives as they come, by whose order it is split",
            expected=f"lpr-live-mit-new.tar.gz and exploit-ai.int.gz in {root}",
            got=f"the folder {normal.name}",
            fix="Give the archives, or judge what was unpacked, a third held out:"
            f" --train {normal} --attack {attack}",
        )


def read_unm(path: Path, vocabulary: Vocabulary) -> TraceSet:
    """Read traces of the University of New Mexico: lines of a process id and a call.

    Parameters
    ----------
    path : Path
        A file, plain or gzip; a directory of them; or a tar archive of them. Files are taken
        in the order of the number their names begin with, which is a time; processes in the
        order they first appear.
    vocabulary : Vocabulary

    Raises
    ------
    RecordingError
        A line is of another form, or an archive is damaged.
    """
    found: list[IntArray] = []
    labels: list[str] = []
    for name, text in sorted(_members(path), key=lambda member: _time_of(member[0])):
        for pid, words in _by_process(text, name):
            found.append(numbered(words, name, vocabulary))
            labels.append(f"{name}:{pid}")
    return require_some(TraceSet.of(found, vocabulary, labels), str(path))


def _adfa(path: Path | None, name: str) -> Split:
    root = path or _adfa_home()
    if (root / _ADFA).is_file():
        root = root / _ADFA
    vocabulary = Vocabulary()
    reads = _adfa_archive if root.is_file() else _adfa_directory
    train, normal, attack = (
        reads(root, f"{part}_Data_Master", vocabulary)
        for part in ("Training", "Validation", "Attack")
    )
    return Split(name, train, normal, attack)


def _adfa_home() -> Path:
    home = datasets_root() / "adfa-ld"
    return home if home.exists() else home / _ADFA


def _adfa_directory(root: Path, part: str, vocabulary: Vocabulary) -> TraceSet:
    places = sorted(_present(root).rglob(part)) or sorted(root.rglob(f"{part}.zip"))
    if not places:
        raise _not_adfa(root, part)
    return read_traces(places[0], vocabulary)


def _adfa_archive(path: Path, part: str, vocabulary: Vocabulary) -> TraceSet:
    found: list[IntArray] = []
    labels: list[str] = []
    with _opened(path) as archive:
        members = [info for info in archive.infolist() if _belongs(info, part)]
        _bounded(sum(info.file_size for info in members), path)
        for info in sorted(members, key=lambda info: info.filename):
            trace = numbered(archive.read(info).split(), f"{path}:{info.filename}", vocabulary)
            if len(trace):
                found.append(trace)
                labels.append(info.filename.split(f"{part}/", 1)[1])
    if not found:
        raise _not_adfa(path, part)
    return TraceSet.of(found, vocabulary, labels)


def _belongs(info: zipfile.ZipInfo, part: str) -> bool:
    name = info.filename
    return f"{part}/" in name and name.endswith(".txt") and "__MACOSX" not in name


def _not_adfa(path: Path, part: str) -> RecordingError:
    return RecordingError(
        f"{path} is not ADFA-LD",
        expected=f"{_ADFA}, the folder it is in, or the folder that it unpacks to",
        got=f"no folder {part} with traces in it",
    )


def _present(root: Path, name: str = "") -> Path:
    """Give the place, or the file of that name in it or in a folder of it."""
    if (root / name).exists():
        return root / name
    if name and (below := sorted(root.rglob(name))):
        return below[0]
    raise SettingError(
        f"the data set {root / name} is not there",
        fix=f"Say where it is with --data, or set {_HERE} to the directory of the data sets.",
    )


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise RecordingError(
            f"{path} cannot be unpacked", expected="a whole zip archive", got=str(error)
        ) from error


def _bounded(size: int, path: Path) -> None:
    if size > _MOST_BYTES:
        raise RecordingError(
            f"{path} is too large to be unpacked in memory",
            expected=f"at most {_MOST_BYTES:,} bytes of traces",
            got=f"{size:,}",
        )


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and text of each file of a set."""
    try:
        yield from _unpacked(path)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise RecordingError(
            f"{path} cannot be unpacked", expected="whole gzip and tar files", got=str(error)
        ) from error


def _unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(path.rglob("*.int*")):
            yield file.name, _inflated(file.read_bytes(), path)
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                if stream:
                    yield Path(member.name).name, _inflated(stream.read(_MOST_BYTES), path)
    else:
        yield path.name, _inflated(path.read_bytes(), path)


def _inflated(raw: bytes, path: Path) -> bytes:
    if raw[:2] != b"\x1f\x8b":
        return raw
    with gzip.open(io.BytesIO(raw)) as stream:
        text = stream.read(_MOST_BYTES + 1)
    _bounded(len(text), path)
    return text


def _time_of(name: str) -> tuple[int, str]:
    digits = name.split("-", 1)[0]
    return (int(digits) if digits.isdigit() else 0, name)


def _by_process(text: bytes, where: str) -> Iterable[tuple[str, list[bytes]]]:
    """Sort the calls of a file by process, in the order that processes appear."""
    words = text.split()
    found: dict[bytes, list[bytes]] = {}
    if len(words) % 2 or any(not call_token(word) for word in words[:64]):
        raise RecordingError(
            f"{where} is no file of traces by process",
            expected="lines of a process id and a system call",
            got=ascii(text[:40].decode("utf-8", "replace")),
        )
    for pid, call in zip(words[::2], words[1::2], strict=True):
        found.setdefault(pid, []).append(call)
    return ((pid.decode("ascii", "replace"), calls) for pid, calls in found.items())


Protocol = Callable[[Path | None], list[Split]]

#: Name -> the splits that the set's figures are the mean of.
PROTOCOLS: dict[str, Protocol] = {
    "adfa-833": lambda path: [adfa_833(path)],
    "adfa-ring": lambda path: [adfa_ring(path, seed) for seed in range(5)],
    "mit-lpr": lambda path: [mit_lpr(path)],
}
