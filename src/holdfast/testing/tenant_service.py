"""A tenant's service as a process of its own: it can be killed, slowed and restarted, and remembers what it was given.

`python -m holdfast.testing.tenant_service FOLDER` serves on loopback and prints its port. What it holds and what it was
asked lies in the folder: `document` is its configuration, `read` the version its readers report, `log` one line for each
request. While they are there, `slow` is the seconds it takes for an answer, `mute` the path that gets none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Remembered:
    """What lies in the folder of a service; each value is replaced in one step."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str) -> Any:
        try:
            return json.loads((self.folder / name).read_bytes())
        except FileNotFoundError:
            return None

    def put(self, name: str, value: Any) -> None:
        fresh = self.folder / f".{name}.{time.monotonic_ns()}"
        fresh.write_text(json.dumps(value))
        os.replace(fresh, self.folder / name)

    def drop(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def note(self, line: str) -> None:
        with (self.folder / "log").open("a") as log:
            log.write(line + "\n")

    @property
    def log(self) -> list[str]:
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []


class _Handler(BaseHTTPRequestHandler):
    memory: Remembered

    def log_message(self, *_: Any) -> None:
        """What was asked is in the log."""

    def _answer(self, status: int, value: Any = None) -> None:
        time.sleep(self.memory.get("slow") or 0)
        while self.memory.get("mute") == self.path:
            time.sleep(0.01)
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")

    def do_GET(self) -> None:
        found = {"version": self.memory.get("read")} if self.path == "/health" else self.memory.get("document")
        self._answer(404 if found is None else 200, found)

    def do_PUT(self) -> None:
        document = self._body()
        self.memory.put("document", document)
        self.memory.note(f"PUT {document.get('version')}")
        self._answer(200, {})

    def do_POST(self) -> None:
        self._body()
        if not self.memory.get("deaf"):
            self.memory.put("read", (self.memory.get("document") or {}).get("version"))
        self.memory.note(f"POST {self.path}")
        self._answer(200, {})


def serve(folder: str, port: int = 0) -> ThreadingHTTPServer:
    handler = type("Handler", (_Handler,), {"memory": Remembered(folder)})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    return server


class TenantService(Remembered):
    """The process of a service, seen from outside."""

    def __init__(self, folder: str | Path, version: str | None = "1") -> None:
        super().__init__(folder)
        if version is not None:
            self.put("document", {"version": version})
            self.put("read", version)
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        """Again under the same address, once it has one."""
        command = [sys.executable, "-m", __name__, str(self.folder), str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def version(self) -> Any:
        return (self.get("document") or {}).get("version")


def main(arguments: list[str]) -> None:
    server = serve(arguments[0], int(arguments[1]) if len(arguments) > 1 else 0)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
