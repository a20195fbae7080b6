"""One file to send along when asking for help: how things stand, without secrets or arguments.

Nothing in it says what anybody typed or where alerts are authenticated: secrets of the settings
are hidden as `config show` hides them, alerts are counted and not quoted, and of a log only what
oddcall says of itself is kept.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from oddcall.models.errors import OddcallError, SettingError
from oddcall.sensor.check import Check
from oddcall.service.config.file import shown
from oddcall.service.config.loading import load
from oddcall.service.config.settings import Settings
from oddcall.service.doctor import as_dict
from oddcall.service.sinks.secret import HIDDEN
from oddcall.service.state import StateDir

#: What is in a bundle, and what each part is.
CONTENTS = {
    "doctor.json": "what `oddcall doctor --json` says",
    "settings.toml": "the settings that hold and where each came from; secrets are hidden",
    "versions.json": "this host's kernel and Python, and versions of what is installed",
    "metrics.txt": "metrics of the running watch, where one runs",
    "state.txt": "names, sizes and times of the files in the state directory, not their content",
    "alerts.json": "how many alerts a day, and how severe; none of their content",
    "log.txt": "the latest lines that the service said of itself; no alerts",
}
#: The page's address is said with its key when it opens.
_KEY = re.compile(r"((?:key|token|password)=)[^\s&]+", re.IGNORECASE)
_LINES, _FILES, _DAYS = 300, 2000, 30
_PATIENCE_S = 3.0
#: How a part begins that is there and could not be read.
_UNREAD = "# not read: "
_NO_LINES = "# the journal holds nothing of oddcall.service that this user may read"


def parts(
    checks: list[Check], config: Path | None = None, state_dir: str | None = None
) -> Iterator[tuple[str, str]]:
    """Give name and text of every part.

    Parameters
    ----------
    checks : list of Check
        What doctor found.
    config : settings file instead of the host's.
    state_dir : state directory instead of the settings' own.
    """
    try:
        loaded = load({"state_dir": state_dir}, file=config)
        settings, written = loaded.settings, "\n".join(shown(loaded))
    except OddcallError:
        # Not its words: they may quote a value that was meant to be secret.
        settings, written = Settings(), "# cannot be used: see `oddcall config check`"
    state = StateDir(settings.state_dir)
    told = {
        "doctor.json": _json(_doctor(checks, usable=not written.startswith("# cannot"))),
        "settings.toml": written,
        "versions.json": _json(_versions()),
        "metrics.txt": _metrics(state.path),
        "state.txt": "\n".join(_listing(state.path)),
        "alerts.json": _json(_alerts(state)),
        "log.txt": "\n".join(_log()),
    }
    yield "README.txt", "".join(f"{name:<14}{what}\n" for name, what in CONTENTS.items())
    for name in CONTENTS:
        yield name, told[name].rstrip() + "\n"


def unread(found: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Say of each part that is there and could not be read why."""
    for name, text in found:
        if text.startswith(_UNREAD):
            yield f"{name}: {text.removeprefix(_UNREAD).strip()}"
        elif name == "alerts.json" and (why := json.loads(text).get("why")):
            yield f"{name}: {why}"


def pack(found: Iterable[tuple[str, str]]) -> bytes:
    """Pack parts into one gzipped tar archive, below one folder."""
    packed, now = io.BytesIO(), int(time.time())
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in found:
            member = tarfile.TarInfo(f"oddcall-support/{name}")
            content = text.encode("utf-8", "backslashreplace")
            member.size, member.mtime, member.mode = len(content), now, 0o600
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _doctor(checks: list[Check], *, usable: bool) -> dict[str, Any]:
    if usable:
        return as_dict(checks)
    hidden = [c if c.name != "settings" else Check(c.name, c.ok, "cannot be used") for c in checks]
    return as_dict(hidden)


def _versions() -> dict[str, Any]:
    installed = {found.name: found.version for found in distributions()}
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "distribution": _distribution(),
        "python": platform.python_version(),
        "packages": dict(sorted(installed.items(), key=lambda item: item[0].lower())),
    }


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def _metrics(state: Path) -> str:
    from oddcall.service.web import address

    try:
        page = address.read(state)
    except OddcallError as error:
        return f"{_UNREAD}{error}"
    if page is None:
        return "# no watch with a page runs on this state directory"
    asked = urllib.request.Request(  # noqa: S310  the address our own watch wrote
        f"{page.url}metrics", headers={"authorization": f"Bearer {page.key}"}
    )
    # Not through a proxy: it is on this host, and the key is for it alone.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=_PATIENCE_S) as answer:
            text: str = answer.read().decode("utf-8", "replace")
            return text
    except (OSError, urllib.error.URLError) as error:
        return f"# the watch did not answer: {error}"


def _listing(state: Path) -> Iterator[str]:
    if not os.access(state, os.R_OK | os.X_OK, effective_ids=True):
        there = os.access(state, os.F_OK)
        yield f"{_UNREAD}{state} may not be read by this user" if there else "# there is none"
        return
    files = (path for path in sorted(state.rglob("*")) if path.is_file())
    for number, path in enumerate(files):
        if number == _FILES:
            yield "# and more"
            return
        found = path.stat()
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(found.st_mtime))
        yield f"{found.st_size:>12} {when} {found.st_mode & 0o7777:04o} {path.relative_to(state)}"


def _alerts(state: StateDir) -> dict[str, Any]:
    from oddcall.service.history import History

    try:
        history = History.reading(state.history)
    except SettingError:
        return {"per_day": {}, "latest": {}}
    except OddcallError as error:
        # Not none: nobody knows.
        return {"per_day": None, "latest": None, "why": str(error)}
    severities: dict[str, int] = {}
    for kept in history.latest(1000):
        if kept.alert.get("state") == "open":
            severity = str(kept.alert.get("severity"))
            severities[severity] = severities.get(severity, 0) + 1
    days = history.per_day(_DAYS)
    history.close()
    return {"per_day": days, "latest": severities}


def _log() -> list[str]:
    """Read what the service said of itself: of alerts, the indented lines quote arguments."""
    if not shutil.which("journalctl"):
        return ["# there is no journal on this host"]
    command = ["journalctl", "--unit", "oddcall.service", "--lines", str(_LINES), "--output", "cat"]
    try:
        done = subprocess.run(  # noqa: S603  fixed words
            [*command, "--no-pager", "--quiet"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S * 3,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"# the journal cannot be read: {error}"]
    return own_lines(done.stdout.splitlines()) or [_NO_LINES]


def own_lines(lines: list[str]) -> list[str]:
    """Keep lines that are about oddcall: no part of an alert, as text or as JSON, and no key."""
    kept = [line for line in lines if line and not line.startswith((" ", "\t", "{"))]
    return [_KEY.sub(rf"\1{HIDDEN}", line) for line in kept]


def _json(found: dict[str, Any]) -> str:
    return json.dumps(found, indent=2)
