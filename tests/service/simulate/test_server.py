"""The demo server: ordinary to its clients, odd on request, and only from this host."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from oddcall.models.errors import OddcallError, SettingError, StorageError
from oddcall.sensor import process
from oddcall.service import cli
from oddcall.service.simulate import files, interpreter, load, registry, run, serve_command
from oddcall.service.simulate.catalogue import named
from oddcall.service.simulate.server import HEADER
from oddcall.service.simulate.site import PAGES

#: Nothing here takes this long. No promise hangs on time: this only ends a test that hangs.
PATIENCE_S = 120.0


def ask(
    url: str, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_it_is_a_program_of_its_own(demo):
    """Promise: neither by path nor by inode is it the interpreter that everything else runs on."""
    theirs, ours = (process.read(Path("/proc"), pid) for pid in (demo.pid, os.getpid()))
    assert theirs is not None
    assert ours is not None
    assert theirs.program != ours.program
    assert theirs.ino != ours.ino
    assert Path(theirs.exe).name == interpreter.NAME


def test_the_copy_is_kept(demo):
    """Promise: another start is the same path and inode, so the same baseline."""
    copy = demo.folder / "interpreter/bin" / interpreter.NAME
    before = copy.stat().st_ino
    assert serve_command(0, demo.folder)[0] == str(copy)
    assert copy.stat().st_ino == before


@pytest.mark.parametrize("name", PAGES)
def test_pages_come_whole(demo, name: str):
    """Promise: every page is what lies on the disk, and HEAD tells its length without it."""
    status, content = ask(demo.url, "GET", f"/static/{name}")
    assert (status, content) == (200, (demo.folder / "pages" / name).read_bytes())
    assert ask(demo.url, "HEAD", f"/static/{name}") == (200, b"")


def test_documents_and_uploads(demo):
    """Promise: computed documents, echoes and uploads are what was asked for."""
    assert len(json.loads(ask(demo.url, "GET", "/api/items?n=7")[1])) == 7
    assert len(json.loads(ask(demo.url, "GET", "/api/items?n=99999")[1])) == 500
    assert len(json.loads(ask(demo.url, "GET", "/api/items?n=many")[1])) == 20
    assert ask(demo.url, "POST", "/api/echo", b"abc") == (200, b"abc")
    stored = json.loads(ask(demo.url, "POST", "/upload", b"x" * 1000)[1])
    assert (demo.folder / "uploads" / stored["stored"]).read_bytes() == b"x" * 1000
    assert stored["stored"] in {
        f["name"] for f in json.loads(ask(demo.url, "GET", "/api/files")[1])
    }


def test_uploads_fill_a_bounded_space(demo):
    """Promise: any number of uploads is at most sixteen files."""
    for _ in range(40):
        ask(demo.url, "POST", "/upload", b"y")
    assert len(list((demo.folder / "uploads").iterdir())) == 16


@pytest.mark.parametrize("path", ["/none", "/static/", "/static/../server.json", "/index.html"])
def test_nothing_else_is_served(demo, path: str):
    """Promise: names outside the site are 404, whatever they hold."""
    assert ask(demo.url, "GET", path)[0] == 404


def test_a_body_must_have_a_bounded_length(demo):
    """Promise: a body without a length, or too long, is refused."""
    connection = http.client.HTTPConnection(urlsplit(demo.url).netloc, timeout=PATIENCE_S)
    connection.putrequest("POST", "/upload")
    connection.putheader("Content-Length", "99999999999")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    assert ask(demo.url, "POST", "/upload", None, Content_Length="x")[0] == 413


def test_only_our_own_command_can_simulate(demo):
    """Promise: without our header, or under another host's name, nothing is run."""
    assert ask(demo.url, "POST", "/simulate/yield-loop", b"")[0] == 403
    headers = {HEADER: "yes", "Host": "evil.example"}
    assert ask(demo.url, "POST", "/simulate/yield-loop", b"", **headers)[0] == 403
    assert ask(demo.url, "GET", "/simulate", None)[0] == 403
    assert ask(demo.url, "GET", "/simulate/yield-loop", None, **{HEADER: "yes"})[0] == 404


@pytest.mark.parametrize("room", ["", "..", "pages", "oddcall-simulate-1-1/..", "/etc"])
def test_nothing_is_done_outside_of_a_room(demo, room: str):
    """Promise: a behaviour that removes files works in a room of the server's folder only."""
    status, said = ask(
        demo.url, "POST", f"/simulate/bulk-delete?room={room}", b"", **{HEADER: "yes"}
    )
    assert status == 400
    assert b"no room" in said


def test_prey_is_made_and_removed_by_who_asks(demo, tmp_path: Path, monkeypatch):
    """Promise: the server is not seen to make what it then works on, and none of it stays."""
    made: list[tuple[int, Path]] = []

    def make(room: Path) -> None:
        files.make(room)
        made.append((os.getpid(), room))

    behaviour = replace(named("bulk-delete"), prepare=make)
    monkeypatch.setattr("oddcall.service.simulate.launch.named", lambda _: behaviour)
    outcome = run("bulk-delete", via=demo.url, workdir=tmp_path)
    assert outcome.detail == {"files": 200, "removed": 200}
    [(pid, room)] = made
    assert (pid, str(room)) == (os.getpid(), outcome.folder)
    assert (room.parent, outcome.pid) == (demo.folder, demo.pid)
    assert not room.exists()


def test_no_connection_waits_while_prey_is_made(demo, tmp_path: Path, monkeypatch):
    """Promise: making it may take longer than a server waits for the next request."""

    def sockets() -> int:
        entries = [entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
        return sum(str(entry.readlink()).startswith("socket:") for entry in entries)

    waiting = []

    def make(room: Path) -> None:
        files.make(room)
        waiting.append(sockets() - before)

    before = sockets()
    behaviour = replace(named("bulk-delete"), prepare=make)
    monkeypatch.setattr("oddcall.service.simulate.launch.named", lambda _: behaviour)
    assert run("bulk-delete", via=demo.url, workdir=tmp_path).detail["removed"] == 200
    assert waiting == [0]


def test_it_listens_on_loopback_only(demo):
    """Promise: the port is bound to 127.0.0.1."""
    port = urlsplit(demo.url).port
    lines = Path("/proc/net/tcp").read_text().splitlines()
    bound = [line.split()[1] for line in lines if line.split()[1].endswith(f":{port:04X}")]
    assert f"0100007F:{port:04X}" in bound
    assert f"00000000:{port:04X}" not in bound


@pytest.mark.parametrize("via", ["url", "pid", None])
def test_a_behaviour_runs_inside_the_server(demo, via: str | None):
    """Promise: by address, by pid or by default, it is the server's own process that does it."""
    where = {"url": demo.url, "pid": str(demo.pid), None: None}[via]
    outcome = run("shell-on-socket", via=where, workdir=demo.folder)
    assert outcome.pid == demo.pid
    assert Path(outcome.program).name == interpreter.NAME
    assert str(outcome.detail["said"]).startswith("uid=")
    assert (outcome.technique, outcome.visible) == ("T1059.004", True)


@pytest.mark.parametrize("name", ["port-scan", "bulk-rewrite", "ptrace-child", "memfd-exec"])
def test_the_server_survives(demo, name: str):
    """Promise: after misbehaving from one of its threads it serves as before."""
    assert run(name, via=demo.url, workdir=demo.folder, seconds=PATIENCE_S).pid == demo.pid
    assert ask(demo.url, "GET", "/")[0] == 200


def test_behaviours_one_right_after_the_other(demo):
    """Promise: the answer to one means that the next may begin."""
    for _ in range(10):
        outcome = run("module-load", via=demo.url, workdir=demo.folder, seconds=PATIENCE_S)
        assert outcome.detail["tried"] == 20


def test_the_python_interpreter_itself_can_misbehave(demo):
    """Promise: `python` is a new process of this interpreter, although a server runs."""
    outcome = run("memfd-exec", via="python", workdir=demo.folder)
    assert outcome.pid not in (demo.pid, os.getpid())
    assert outcome.program == str(Path("/proc/self/exe").readlink())
    assert outcome.detail["child_exit"] == 0


def test_without_a_server_the_interpreter_does_it(tmp_path: Path):
    """Promise: the default works where nothing was started first."""
    outcome = run("failing-opens", workdir=tmp_path / "new", seconds=PATIENCE_S)
    assert outcome.program == str(Path("/proc/self/exe").readlink())
    assert outcome.detail["failed"] == 5000


@pytest.mark.parametrize("via", ["1", "http://192.0.2.1:80", "https://127.0.0.1", "nginx"])
def test_other_processes_are_never_entered(demo, via: str):
    """Promise: only demo servers of this host are told to misbehave, and the error says so."""
    with pytest.raises(SettingError, match="oddcall simulate serve"):
        run("port-scan", via=via, workdir=demo.folder)


def test_a_server_that_is_starting_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Promise: what is typed right after `serve &` is done once it listens, and people are told."""
    monkeypatch.setattr("oddcall.service.simulate.connecting.STARTING_S", PATIENCE_S)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        words = serve_command(port, tmp_path)
        started.append(subprocess.Popen(words, env=interpreter.environment()))

    try:
        seen = load(f"http://127.0.0.1:{port}", 0.2, rate=100, waiting=start)
        assert seen["requests"] > 0
        assert len(started) == 1, "told once"
    finally:
        for server in started:
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0


def test_a_server_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Promise: a closed port is one sentence with what to type."""
    monkeypatch.setattr("oddcall.service.simulate.connecting.STARTING_S", 0.0)
    with pytest.raises(OddcallError, match=r"does not answer.*simulate serve"):
        run("port-scan", via="http://127.0.0.1:1", workdir=tmp_path)
    with pytest.raises(OddcallError, match=r"does not answer.*simulate serve"):
        load("http://127.0.0.1:1", 1.0)


def test_what_the_server_refuses_comes_back_as_a_sentence(demo, monkeypatch: pytest.MonkeyPatch):
    """Promise: the server's reason is the error's."""
    unheard_of = replace(named("yield-loop"), name="nothing-like-it")
    monkeypatch.setattr("oddcall.service.simulate.launch.named", lambda _: unheard_of)
    with pytest.raises(OddcallError, match="no such behaviour"):
        run("nothing-like-it", via=demo.url, workdir=demo.folder)


def test_the_load_is_mixed_and_bounded(demo):
    """Promise: a load is no faster than its rate, of several kinds, with what is not found."""
    log = demo.folder / "access.log"
    before = log.stat().st_size
    seen, kinds, seconds = Counter[str](), set[str](), 0
    # A busy machine may take more than one second to come to all of them.
    while not ({"GET", "POST", "HEAD"} <= kinds and seen["404"]):
        shares: list[float] = []
        seen += Counter(load(demo.url, 1.0, rate=100, progress=shares.append))
        seconds += 1
        assert shares == sorted(shares)
        kinds = set(re.findall(r'"([A-Z]+) /', log.read_bytes()[before:].decode()))
    assert 0 < seen["200"] < seen["requests"] < 300 * seconds


@pytest.mark.parametrize(
    ("url", "seconds", "rate"), [("ftp://x", 1, 1), ("http://x", 0, 1), ("http://x", 1, 0)]
)
def test_an_unusable_load_is_refused(url: str, seconds: float, rate: float):
    """Promise: a wrong address, duration or rate is a setting error."""
    with pytest.raises(SettingError):
        load(url, seconds, rate=rate)


def test_a_stale_entry_is_not_believed(tmp_path: Path):
    """Promise: a server that was killed, or whose pid is another's now, is not found."""
    assert registry.running(tmp_path) is None
    entry = tmp_path / "server.json"
    entry.write_text(json.dumps({"pid": os.getpid(), "start_ticks": 1, "url": "http://x"}))
    assert registry.running(tmp_path) is None
    for broken in ("", "[]", '{"pid": "x"}', "\x00"):
        entry.write_text(broken)
        assert registry.running(tmp_path) is None
    with registry.entered(tmp_path, "http://y"):
        assert registry.running(tmp_path) == registry.Running(os.getpid(), "http://y")
    assert registry.running(tmp_path) is None


def test_a_port_in_use_is_one_sentence(demo, tmp_path: Path):
    """Promise: no traceback when the port is taken or impossible."""
    for port in (urlsplit(demo.url).port or 0, 70_000):
        ended = subprocess.run(
            serve_command(port, tmp_path),
            env=interpreter.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert ended.returncode == SettingError.exit_code
        assert "cannot listen" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def test_ctrl_c_ends_it_cleanly(tmp_path: Path, serving):
    """Promise: SIGINT is exit code 0 without a word."""
    with serving(tmp_path) as (server, _):
        server.send_signal(signal.SIGINT)
        assert server.wait(PATIENCE_S) == 0
        assert server.stderr.read() == ""


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    """Promise: a folder that cannot be made is a storage error, not a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        serve_command(0, tmp_path / "file" / "below")


def test_without_a_server_it_is_said_who_misbehaved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no demo server is found a new process does it, and a person is told so."""
    assert cli.run(["simulate", "run", "host-facts", "--workdir", str(tmp_path)]) == 0
    assert "no demo server was found" in capsys.readouterr().out
