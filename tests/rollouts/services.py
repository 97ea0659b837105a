"""Real services on loopback: each holds a configuration document and reports a version, in whatever way a test asks for."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Service:
    """Its readers report what they were last told to read, `lag` answers later."""

    def __init__(self, document: dict[str, Any] | None = None) -> None:
        self.document = document
        self.read_version: Any = None if document is None else document.get("version")
        self.lag = 0
        self.deaf = False  # takes the message, reads nothing
        self.refuses: list[Any] = []  # versions that are not taken
        self.garbage = False
        self.mute_writes = False  # takes the document, then breaks the connection
        self.headers: list[dict[str, str]] = []
        self.log: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reload(self) -> None:
        if not self.deaf:
            self.read_version = (self.document or {}).get("version")

    def health(self) -> Any:
        if self.lag > 0:
            self.lag -= 1
            return {"version": "stale"}
        return {"version": self.read_version, "nested": {"version": self.read_version}}

    def _handler(service) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Nothing is printed."""

            def _body(self) -> Any:
                return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")

            def _answer(self, status: int, value: Any = None) -> None:
                body = b"{{{" if service.garbage and status == 200 else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                service.headers.append(dict(self.headers))
                service.log.append(f"GET {self.path}")
                if self.path == "/health":
                    self._answer(200, service.health())
                elif service.document is None:
                    self._answer(404)
                else:
                    self._answer(200, service.document)

            def do_PUT(self) -> None:
                body = self._body()
                service.log.append(f"PUT {body.get('version')}")
                if body.get("version") in service.refuses:
                    return self._answer(422, {"error": "not this one"})
                service.document = body
                if service.mute_writes:
                    self.close_connection = True
                    return None
                return self._answer(200, {})

            def do_POST(self) -> None:
                self._body()
                service.log.append(f"POST {self.path}")
                service.reload()
                self._answer(200, {})

        return Handler
