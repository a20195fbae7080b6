"""Servers under load: web, key-value, database."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from oddcall.service.simulate import interpreter, registry, serve_command
from oddcall.service.trial.workload import Round, beside, call, installed, wait_until

#: Longer than any trial: the load ends with it.
_FOREVER = "7d"
_NGINX = """\
{first}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
daemon off;
http {{
  {http}
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/pages;
    location /static/ {{ alias {folder}/pages/; }}
    {inside}
  }}
}}
"""
_PAGES = {"index.html": 2_000, "style.css": 9_000, "app.js": 60_000, "photo.bin": 400_000}


@contextmanager
def serve_demo(folder: Path) -> Iterator[Round]:
    """Run the demo server under a mixed load."""
    with ExitStack() as held:
        server = held.enter_context(
            beside(serve_command(0, folder), folder, env=interpreter.environment())
        )

        def runs() -> bool:
            _alive(server, folder / "log")
            return registry.running(folder) is not None

        wait_until(runs, "the demo server")
        running = registry.running(folder)
        assert running is not None  # noqa: S101  waited for just now
        load = held.enter_context(load_on(running.url, 40.0, folder))

        def turn(_turn: int) -> None:
            _alive(server, folder / "log")
            _alive(load, folder / "load.log")

        yield turn


@contextmanager
def serve_nginx(folder: Path) -> Iterator[Round]:
    """Run nginx under a mixed load."""
    with nginx(folder) as url, load_on(url, 20.0, folder) as load:
        yield lambda _turn: _alive(load, folder / "load.log")


@contextmanager
def nginx(folder: Path, first: str = "", inside: str = "", http: str = "") -> Iterator[str]:
    """Run nginx on a free port of loopback until the context ends; gives its address.

    Parameters
    ----------
    first, inside, http : str
        Lines of configuration for the beginning of the file, its server, and its http block.
    """
    pages = folder / "pages"
    pages.mkdir(exist_ok=True)
    for name, size in _PAGES.items():
        (pages / name).write_bytes(os.urandom(size))
    # Workers are another user's: they must reach the pages.
    for place in (folder, pages):
        place.chmod(0o755)
    port = _free_port()
    text = _NGINX.format(folder=folder, port=port, first=first, inside=inside, http=http)
    (folder / "nginx.conf").write_text(text)
    words: list[str | Path] = [installed("nginx"), "-p", folder, "-c", folder / "nginx.conf"]
    with beside(words, folder):
        wait_until(lambda: _answers(port), "nginx")
        yield f"http://127.0.0.1:{port}"


@contextmanager
def serve_redis(folder: Path) -> Iterator[Round]:
    """Run Redis; a round is one kind of commands of its benchmark."""
    place = folder / "redis.sock"
    words: list[str | Path] = [installed("redis-server"), "--port", "0", "--save", "60", "1000"]
    with beside([*words, "--unixsocket", place, "--dir", folder], folder):
        wait_until(place.exists, "redis-server")
        client: list[str | Path] = [installed("redis-benchmark"), "-s", place]
        client += ["-q", "-c", "8", "-n", "2000"]
        kinds = ("ping", "set,get", "incr,lpush,lpop", "sadd,hset", "lrange_100", "mset")
        yield lambda turn: call([*client, "-t", kinds[turn % len(kinds)]], folder)


@contextmanager
def serve_postgres(_folder: Path) -> Iterator[Round]:
    """Run PostgreSQL; a round is one of pgbench's scripts."""
    # It refuses to run as root, and its user may not enter folders of root's.
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="oddcall-trial-", ignore_cleanup_errors=True) as own:
        if user:
            pwd.getpwnam(user)
            shutil.chown(own, user)
        cluster = Path(own)
        words: list[str | Path] = [installed("initdb"), "-D", cluster / "data", "-A", "trust"]
        call([*words, "-U", "trial", "--no-sync"], cluster, user=user)
        words = [installed("postgres"), "-D", cluster / "data", "-k", cluster]
        (cluster / "log").touch()
        with beside([*words, "-c", "listen_addresses="], cluster, user=user):
            wait_until(lambda: any(cluster.glob(".s.PGSQL.*[0-9]")), "postgres")
            bench: list[str | Path] = [installed("pgbench"), "-h", cluster, "-U", "trial"]
            wait_until(lambda: _works([*bench, "-i", "-q", "postgres"], cluster, user), "pgbench")
            kinds = ("tpcb-like", "simple-update", "select-only")

            def turn(turn: int) -> None:
                words = [*bench, "-b", kinds[turn % len(kinds)], "-c", "3", "-t", "60"]
                call([*words, "postgres"], cluster, user=user)

            yield turn


@contextmanager
def load_on(url: str, rate: float, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Send a server ordinary requests until the context ends."""
    words = [sys.executable, "-P", "-m", "oddcall.service.cli", "simulate", "load", url]
    words += ["--rate", str(rate), "--duration", _FOREVER]
    with beside(words, folder, log="load.log") as load:
        yield load


def _alive(process: subprocess.Popen[bytes], log: Path) -> None:
    """Raise CalledProcessError, with what it said, when a server has ended."""
    if process.poll() is not None:
        said = log.read_bytes()
        raise subprocess.CalledProcessError(process.returncode, process.args, stderr=said)


def _works(words: list[str | Path], folder: Path, user: str | None) -> bool:
    try:
        call(words, folder, user=user)
    except subprocess.CalledProcessError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
