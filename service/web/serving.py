"""Serve the page beside the watch: a thread of its own, which sensing never waits for."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from oddcall.models.errors import StorageError
from oddcall.service.board.board import Board
from oddcall.service.state import StateDir
from oddcall.service.web.access import Access, open_access
from oddcall.service.web.address import Address, read, written
from oddcall.service.web.section import WebSection

if TYPE_CHECKING:
    import uvicorn

#: Time that open requests have to end when the watch does.
_END_S = 2.0
_GOES_ON = "Watching goes on. Name another with --web-port, or leave the page out with --no-web."


@contextmanager
def serving(
    section: WebSection, state: StateDir, board: Board, say: Callable[[str], None]
) -> Iterator[None]:
    """Serve the page while the context lasts; where that cannot be, say so and do without.

    Parameters
    ----------
    section : WebSection
    state : StateDir
        The key is kept there, and ``top`` finds the address there.
    board : Board
    say : callable
        Told one line.

    Raises
    ------
    SettingError
        When the token's file cannot be used.
    """
    with ExitStack() as opened:
        if section.enabled:
            try:
                _open(section, state, board, say, opened)
            except (StorageError, OSError) as error:
                opened.close()
                why = _why(section, error)
                say(f"the page is not served: {why}. {_GOES_ON}")
                _leave_word(state, why, opened)
        else:
            _leave_word(state, "--no-web, or web.enabled = false", opened)
        yield


def _leave_word(state: StateDir, why: str, opened: ExitStack) -> None:
    """Let ``top`` say why there is nothing to look at; a page that is there stays the one."""
    with suppress(StorageError, OSError):
        state.make()
        if read(state.path) is None:
            opened.enter_context(written(state.path, Address("", "", os.getpid(), why)))


def _open(
    section: WebSection,
    state: StateDir,
    board: Board,
    say: Callable[[str], None],
    opened: ExitStack,
) -> None:
    state.make()
    access = open_access(section, state.path)
    listening = _listen(section.host, section.port)
    opened.callback(listening.close)
    url = f"http://{_shown(section.host, listening.getsockname()[1])}/"
    address = Address(url, access.key, os.getpid())
    opened.enter_context(written(state.path, address))
    opened.callback(_start(listening, board, access, state))
    if access.guarded:
        say(f"the page is on {url} and asks for the token")
    else:
        say(f"the page is on {address.link}")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=64)


def _start(
    listening: socket.socket, board: Board, access: Access, state: StateDir
) -> Callable[[], None]:
    """Start the server's thread; returns what ends it."""
    # Only a watch that serves its page has 7 MB of web server.
    import uvicorn

    from oddcall.service.web.app import build

    server: uvicorn.Server
    app = build(board, access, state, lambda: server.should_exit)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        # Who connects is asked of the kernel; a header says whatever its sender likes.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="critical",
        limit_concurrency=64,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), name="web", daemon=True)
    thread.start()

    def end() -> None:
        server.should_exit = True
        thread.join(_END_S)

    return end


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _why(section: WebSection, error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error).rstrip(".")
    why = os.strerror(error.errno or 0).lower()
    return f"{_shown(section.host, section.port)} cannot be used ({why})"
