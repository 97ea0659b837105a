"""A client of the simulator that knows nothing of it but HTTP."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any

from holdfast.testing.opnsense import Simulator


class Client:
    """One fresh connection per request; `timeout` short, because some appliances never answer."""

    def __init__(self, appliance: Simulator, key: str = "", secret: str = "", timeout: float = 5.0) -> None:
        self.port = appliance.port
        self.timeout = timeout
        self.headers = {"Authorization": f"Basic {word(key or appliance.key, secret or appliance.secret)}"}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        sent = self.headers | ({"Content-Type": "application/json"} if body is not None else {}) | headers
        try:
            connection.request(method, f"/api/{path}", None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        return json.loads(self.ask("GET", path)[1])

    def post(self, path: str, body: Any = None) -> Any:
        return json.loads(self.ask("POST", path, {} if body is None else body)[1])

    def status(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        return self.ask(method, path, body, **headers)[0]


def word(key: str, secret: str) -> str:
    return base64.b64encode(f"{key}:{secret}".encode()).decode()


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


RULE = {"interface": "lan", "protocol": "TCP", "destination_port": "22", "description": "ssh"}
ALIAS = {"name": "web", "type": "host", "content": "10.0.0.1"}
