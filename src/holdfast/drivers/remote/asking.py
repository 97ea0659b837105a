"""One question to something that listens on the host or is reached from there. The host carries this module."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

BODY_BYTES_MAX = 1024 * 1024


def ask(url: str, seconds: float) -> dict[str, Any]:
    """What it answered, or in words why there is no answer."""
    try:
        return _knock(url, seconds) if url.lower().startswith("tcp:") else _get(url, seconds)
    except OSError as error:  # a time-out as well
        return {"flaw": f"no connection: {error.strerror or error}"}
    except ValueError as error:
        return {"flaw": str(error)}


def _knock(url: str, seconds: float) -> dict[str, Any]:
    address = urlsplit(url)
    socket.create_connection((address.hostname or "", address.port or 0), seconds).close()
    return {"there": True}


def _get(url: str, seconds: float) -> dict[str, Any]:
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from ssl import create_default_context

    address = urlsplit(url)
    secure = address.scheme == "https"
    host = address.hostname or ""
    connection = (
        HTTPSConnection(host, address.port, timeout=seconds, context=create_default_context())
        if secure
        else HTTPConnection(host, address.port, timeout=seconds)
    )
    path = (address.path or "/") + (f"?{address.query}" if address.query else "")
    try:
        connection.request("GET", path, headers={"User-Agent": "holdfast", "Accept": "*/*"})
        answer = connection.getresponse()
        return {"status": answer.status, "body": answer.read(BODY_BYTES_MAX).decode("utf-8", "replace")}
    except HTTPException as error:
        return {"flaw": f"the answer is not HTTP: {error}"}
    finally:
        connection.close()
