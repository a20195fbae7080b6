"""Alerts by the number, and servers on loopback that can be killed and begun anew."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nats
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from oddcall.service.sinks.backoff import Backoff
from oddcall.service.sinks.transport import Record

#: Nothing here takes this long. No promise hangs on time: this only ends a test that hangs.
PATIENCE_S = 120.0
HOST = {"name": "web1", "id": "5d", "boot_id": "0b", "kernel": "6.1.0", "arch": "x86_64"}


def numbered(
    i: int, severity: str = "medium", state: str = "open", **program: Any
) -> dict[str, Any]:
    """A native alert with a number."""
    time_ = f"2023-11-14T22:13:{i % 60:02d}.000000Z"
    return {
        "schema_version": 1,
        "id": f"00000000-0000-5000-8000-{i:012d}",
        "episode_id": f"00000000-0000-5000-8000-{i:012d}",
        "state": state,
        "time": time_,
        "severity": severity,
        "host": dict(HOST),
        "program": {
            "exe": "/usr/sbin/nginx",
            "comm": "nginx",
            "container": None,
            "unit": "nginx.service",
            **program,
        },
        "process": {
            "pid": 100 + i,
            "start_time": 5,
            "ppid": 1,
            "parent": "systemd",
            "uid": 33,
            "cmdline": "nginx: worker é\n",
        },
        "window": {"start": time_, "end": time_, "events": 300},
        "coverage": {
            "observed_s": 1.0,
            "late_s": 0.0,
            "lost": 0,
            "lost_keys": 0,
            "identity_complete": True,
        },
        "score": {
            "p_value": 1e-6,
            "score": 13.8,
            "threshold": 1e-4,
            "budget_per_day": 1.0,
            "extrapolated": True,
            "detectors": {"novelty": 1e-6},
        },
        "baseline": {"level": "program", "windows": 9, "trained_span": None, "model_id": "m"},
        "explanation": {
            "sentence": f"nginx made call number {i}, which it never made before.",
            "top": [
                {
                    "feature": "ptrace (share of calls)",
                    "observed": 0.01,
                    "typical": {"q05": 0.0, "q50": 0.0, "q95": 0.001},
                    "contribution": 0.5,
                }
            ],
            "onset": time_,
            "nearest_windows": [],
        },
        "attack_hints": [{"technique": "T1055.008", "why": "Consistent with injection: 4 ptrace."}],
        "suppressed_since_last": 0,
        "returns": 0,
    }


@pytest.fixture
def alert_of() -> Callable[..., dict[str, Any]]:
    return numbered


@pytest.fixture
def records() -> Callable[[range], list[Record]]:
    """Records of numbered alerts, in the native format."""
    return lambda numbers: [Record(alert, alert) for alert in map(numbered, numbers)]


@pytest.fixture
def host() -> dict[str, str]:
    return dict(HOST)


@pytest.fixture
def hasty() -> Callable[[], Backoff]:
    """Waits of milliseconds."""
    return lambda: Backoff(0.01, 0.05)


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait until something holds, however long a busy machine takes."""

    def wait(holds: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, "it never came to hold"
            time.sleep(0.005)

    return wait


class Hook:
    """An HTTP server that keeps what it is sent, answers as told, and can be killed."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.status: Callable[[Any], int] = lambda _body: 200
        self.headers: dict[str, str] = {}
        self.port = 0
        self.context: Any = None
        self.server: ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://localhost:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        """Ids of what was taken, in order."""
        bodies = [body for _, body in self.requests]
        return [
            one["id"] for body in bodies for one in (body if isinstance(body, list) else [body])
        ]

    def start(self) -> None:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = hook.status(body)
                # A server that was killed answers nobody, and has taken nothing.
                if hook.server is not self.server:
                    return
                if status < 300:
                    hook.requests.append((dict(self.headers), body))
                self.send_response(status)
                for name, value in hook.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def do_HEAD(self) -> None:
                self.send_response(405)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # of clients that leave

        self.server = Server(("localhost", self.port), Handler)
        self.port = self.server.server_port
        if self.context:
            self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def kill(self) -> None:
        server, self.server = self.server, None
        if server:
            server.shutdown()
            server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    served = Hook()
    yield served
    served.kill()


@pytest.fixture(scope="session")
def hook_context(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An authority made for the tests, and a server's context with a certificate of it."""
    folder = tmp_path_factory.mktemp("tls")
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "ca.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return SimpleNamespace(server=context, ca=pem, key=secret)


class Nats:
    """A NATS server on loopback with its store in a folder."""

    def __init__(self, folder: Path, *flags: str, storing: bool = True) -> None:
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
        program = shutil.which("nats-server", path=path)
        assert program, "nats-server is not installed: type make setup-test"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.command = [program, "-a", "127.0.0.1", "-p", str(self.port)]
        self.command += ["-js", "-sd", str(folder)] if storing else []
        self.command += ["-l", str(folder / "log"), *flags]
        self.start()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(self.command)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise AssertionError("nats-server did not start")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stored(self, subject: str = "oddcall.alerts", **options: Any) -> list[Any]:
        """Every message that the stream holds."""

        async def read() -> list[Any]:
            way = await nats.connect(self.url, **options)
            stream = way.jetstream()
            name = await stream.find_stream_name_by_subject(subject)
            info = await stream.stream_info(name)
            first, last = info.state.first_seq, info.state.last_seq
            found = [await stream.get_msg(name, seq) for seq in range(first, last + 1)]
            await way.close()
            return found

        return asyncio.run(read())


@pytest.fixture(scope="session")
def nats_server() -> Callable[..., Nats]:
    """Start a server in a folder."""
    return Nats
