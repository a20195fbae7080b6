"""What the demo server serves: a few pages of different sizes, and a little state."""

from __future__ import annotations

import hashlib
import json
import os
import random
from pathlib import Path

from oddcall.models.storage import storage_error

#: Name and size in bytes of what lies under /static/.
PAGES = {"index.html": 2_000, "style.css": 9_000, "app.js": 60_000, "photo.bin": 400_000}
#: Uploads go round this many files, so that any load fills a bounded space.
_UPLOADS = 16
_LOG_BYTES = 4_000_000


class Site:
    """The server's files, made on first use.

    Raises
    ------
    StorageError
        If they cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.pages = folder / "pages"
        self._uploads = folder / "uploads"
        self._uploaded = 0
        try:
            for place in (self.pages, self._uploads):
                place.mkdir(parents=True, exist_ok=True)
            for name, size in PAGES.items():
                self._make_page(name, size)
            self._log = os.open(
                folder / "access.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise storage_error(folder, error) from error

    def close(self) -> None:
        """Close the log."""
        os.close(self._log)

    def page(self, name: str) -> Path | None:
        """Find a page; None for every name that is not one."""
        return self.pages / name if name in PAGES else None

    def items(self, count: int) -> bytes:
        """Compute a JSON document of so many items, at most 500."""
        numbers = range(max(0, min(count, 500)))
        return json.dumps(
            [{"id": n, "digest": hashlib.sha256(b"%d" % n).hexdigest()} for n in numbers]
        ).encode()

    def listing(self) -> bytes:
        """Look what lies in the folders, as JSON."""
        found = [
            {"name": entry.name, "size": entry.stat().st_size}
            for place in (self.pages, self._uploads)
            for entry in os.scandir(place)
        ]
        return json.dumps(found).encode()

    def upload(self, content: bytes) -> bytes:
        """Store what was sent, over what was sent long before."""
        self._uploaded = (self._uploaded + 1) % _UPLOADS
        path = self._uploads / f"upload-{self._uploaded:02}.bin"
        path.write_bytes(content)
        return json.dumps({"stored": path.name, "bytes": len(content)}).encode()

    def log(self, line: str) -> None:
        """Write to the access log, which begins anew when it is too long."""
        if os.fstat(self._log).st_size > _LOG_BYTES:
            os.ftruncate(self._log, 0)
        os.write(self._log, line.encode("utf-8", "backslashreplace") + b"\n")

    def _make_page(self, name: str, size: int) -> None:
        path = self.pages / name
        if not path.is_file() or path.stat().st_size != size:
            path.write_bytes(random.Random(name).randbytes(size))  # noqa: S311  filler
