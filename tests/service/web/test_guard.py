"""Promises about who may see the page, and who may change something by it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from oddcall.models.errors import SettingError
from oddcall.service.board.board import Board
from oddcall.service.config.loading import load
from oddcall.service.state import StateDir
from oddcall.service.web.access import COOKIE, Access
from oddcall.service.web.address import Address, read
from oddcall.service.web.serving import serving

from .conftest import Told, Watching

TOKEN = "correct horse battery"


@pytest.fixture
def open_page(tmp_path: Path) -> Iterator[Callable[..., Watching]]:
    """Serves an empty board with the settings given."""
    with ExitStack() as opened:

        def page(board: Board | None = None, **settings: str) -> Watching:
            flags = {"state_dir": str(tmp_path / "state")}
            settings = {"port": "0", **settings}
            environ = {f"ODDCALL_WEB_{name.upper()}": v for name, v in settings.items()}
            section = load(flags, environ=environ).settings.web
            screen = Told()
            board = board or Board({"name": "web1"}, capacity=8)
            opened.enter_context(serving(section, StateDir(tmp_path / "state"), board, screen.say))
            address = read(tmp_path / "state") or Address("", "", 0)
            return Watching(None, tmp_path, screen, address, None)

        yield page


def test_a_name_that_is_not_ours_is_refused(watching: Any) -> None:
    """A foreign page whose name was pointed at this address reads nothing (DNS rebinding)."""
    port = watching.address.url.rsplit(":", 1)[1].strip("/")
    for name in ("evil.example", f"evil.example:{port}", "localhost.evil.example", ""):
        status, told = watching.ask("api/state", Host=name)
        assert status == 421
        assert "web.names" in told["fix"]
    for name in ("localhost", f"127.0.0.1:{port}", f"[::1]:{port}", os.uname().nodename):
        assert watching.ask("api/state", Host=name)[0] == 200


def test_names_of_the_settings_are_ours(open_page: Any) -> None:
    """A name that a person set is let in."""
    page = open_page(names="watch.example.org, other.example.org")
    assert page.ask("api/state", Host="watch.example.org")[0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_another_page_cannot_ask_for_a_change(watching: Any, headers: Any, status: int) -> None:
    """A form or script of a foreign page is refused, however the visitor is known."""
    body = {"verb": "ack", "alert": "last"}
    assert watching.ask("api/feedback", body, **headers)[0] == status


def test_a_change_is_small(watching: Any) -> None:
    """A body that is too long is refused before it is read."""
    assert watching.ask("api/feedback", b" " * 20_000)[0] == 413


def test_nothing_foreign_runs_in_the_page(watching: Any) -> None:
    """The page may load from itself alone, and not be shown within another one."""
    for path in ("", "static/app.js", "api/state", "nothing"):
        headers = watching.whole(path)[2]
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert watching.whole("api/state")[2]["cache-control"] == "no-store"


def stands_in(html: str) -> str:
    """Give what a page holds of how the watch stands."""
    return html.split('id="stands">')[1].split("</script>", maxsplit=1)[0]


def test_the_page_holds_how_it_stands_whatever_names_hold(open_page: Any) -> None:
    """No name that a process or a host gives itself ends the element that holds it."""
    named = Board({"name": "</script><script>alert(1)</script><!--"}, capacity=8)
    page = open_page(named)
    told = json.loads(stands_in(page.ask("")[1]))
    assert told["host"] == page.ask("api/state")[1]["host"]
    assert told["host"]["name"].startswith("</script>")


def test_with_a_token_everybody_must_know_it(open_page: Any) -> None:
    """Not even root on this host sees data without it; how it lives stays open to orchestrators."""
    page = open_page(token=TOKEN)
    assert page.screen.lines[0].endswith("asks for the token")
    for path in ("api/state", "api/stream", "api/alerts", "api/feedback", "metrics"):
        assert page.ask(path)[0] == 401
        assert page.ask(path, Authorization="Bearer correct horse batter")[0] == 401
        assert page.ask(path, Authorization=f"Basic {TOKEN}")[0] == 401
    assert page.ask("api/state", Authorization=f"Bearer {TOKEN}")[0] == 200
    assert page.ask("metrics", Authorization=f"bearer {TOKEN}")[0] == 200
    assert page.ask("healthz")[0] == 200
    status, html = page.ask("")
    assert (status, stands_in(html)) == (200, "")
    assert stands_in(page.ask("", Authorization=f"Bearer {TOKEN}")[1]), "the page comes filled"


def test_the_key_is_exchanged_for_a_cookie(open_page: Any) -> None:
    """The cookie is not the key, scripts cannot read it, and other sites' requests lack it."""
    page = open_page(token=TOKEN)
    assert page.ask("api/session", {"key": "wrong"})[0] == 403
    status, _, headers = page.whole("api/session", {"key": TOKEN})
    cookie = headers["set-cookie"]
    assert status == 200
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert TOKEN not in cookie
    assert page.ask("api/state", Cookie=cookie.split(";")[0])[0] == 200
    assert page.ask("api/state", Cookie=f"{COOKIE}=x")[0] == 401


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_of_this_host_must_know_the_key(watching: Any) -> None:
    """Without a token the owner of the watch and root come in; others need the printed address."""
    # Nothing is imported once it is somebody else, who may not read this interpreter's files.
    asks = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534)\n"
        "with socket.socket() as page:\n"
        "    page.connect((sys.argv[1], int(sys.argv[2])))\n"
        "    page.sendall(sys.argv[3].encode())\n"
        "    print(page.recv(4096).split()[1].decode())\n"
    )
    host, port = watching.address.url.split("/")[2].split(":")

    def as_nobody(headers: dict[str, str]) -> str:
        lines = [f"{name}: {value}" for name, value in {"Host": host, **headers}.items()]
        wanted = "\r\n".join(["GET /api/state HTTP/1.1", *lines, "", ""])
        words = [sys.executable, "-c", asks, host, port, wanted]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    assert watching.ask("api/state")[0] == 200
    assert as_nobody({}) == "401"
    assert as_nobody({"Authorization": f"Bearer {watching.address.key}"}) == "200"
    assert as_nobody({"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"}) == "401"


def test_off_this_host_only_with_a_token() -> None:
    """The settings are refused as a whole, with what is missing."""
    for host in ("0.0.0.0", "192.0.2.7", "::"):
        with pytest.raises(SettingError, match=r"web\.token: expected a token"):
            load({}, environ={"ODDCALL_WEB_HOST": host})
        assert load({}, environ={"ODDCALL_WEB_HOST": host, "ODDCALL_WEB_TOKEN": TOKEN})
    assert load({}, environ={"ODDCALL_WEB_HOST": "::1"}).settings.web.local
    assert load({}, environ={"ODDCALL_WEB_HOST": "localhost"}).settings.web.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("TOKEN", "short", "at least 16 characters"),
        ("HOST", "example.org", "an address of this host"),
        ("PORT", "70000", "a whole number from 0 to 65535"),
        ("NAMES", "a b,c", "host names"),
        ("ENABLED", "maybe", "true or false"),
    ],
)
def test_settings_that_cannot_be_used(name: str, value: str, allowed: str) -> None:
    """Each is told with what is allowed."""
    with pytest.raises(SettingError, match=allowed):
        load({}, environ={f"ODDCALL_WEB_{name}": value})


def test_a_token_may_lie_in_a_file(open_page: Any, tmp_path: Path) -> None:
    """A file holds it with or without a line's end; a wrong file ends the start with a sentence."""
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    page = open_page(token_file=str(file))
    assert page.ask("api/state", Authorization=f"Bearer {TOKEN}")[0] == 200
    file.write_text("short\n")
    with pytest.raises(SettingError, match="16 characters or more"):
        open_page(token_file=str(file))
    with pytest.raises(SettingError, match="cannot be read"):
        open_page(token_file=str(tmp_path / "none"))


def test_the_key_outlives_a_restart(open_page: Any, tmp_path: Path) -> None:
    """A browser that was let in stays so; the key is readable by its owner alone."""
    first = open_page().address.key
    assert open_page().address.key == first
    assert len(first) >= 32
    assert stat.S_IMODE((tmp_path / "state" / "web.key").stat().st_mode) == 0o600


def test_a_port_that_is_taken_is_said(open_page: Any) -> None:
    """The watch goes on without its page, and the line says what to type."""
    first = open_page()
    port = first.address.url.rsplit(":", 1)[1].strip("/")
    second = open_page(port=port)
    said = (
        f"the page is not served: 127.0.0.1:{port} cannot be used (address already in use). "
        "Watching goes on. Name another with --web-port, or leave the page out with --no-web."
    )
    assert second.screen.lines == [said]


def test_a_page_that_is_not_wanted_is_not_there(open_page: Any) -> None:
    """Nothing listens, and nothing is said."""
    page = open_page(enabled="false")
    assert page.screen.lines == []
    assert read(page.state / "state") is None


def test_a_watch_whose_ticks_stop_is_not_well(open_page: Any, watched: Board) -> None:
    """Health turns to 503 when ticks stay away, and readiness before the first one."""
    assert open_page().ask("readyz") == (503, "starting\n")
    stuck = Board({}, capacity=8)
    stuck.see(watched.tick)
    page = open_page(board=stuck)
    assert page.ask("healthz")[0] == 503
    assert page.ask("readyz")[0] == 503


def test_keys_are_compared_whole() -> None:
    """No beginning of the key, and no other letters, pass for it."""
    access = Access("k" * 20)
    assert access.knows("k" * 20)
    assert not any(map(access.knows, ["", "k", "k" * 19, "k" * 21, "ü" * 20]))
    assert not access.remembers("k" * 20)
