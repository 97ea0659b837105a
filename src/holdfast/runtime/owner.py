"""Who is alive: a held `flock`, which the kernel frees on kill -9; never a pid."""

from __future__ import annotations

import fcntl
import json
import os
from typing import Any


class Owner:
    """This process as the owner of runs. Its lock file is never renamed; what it says is information only."""

    def __init__(self, directory: str, name: str) -> None:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self.name = name
        self._directory = directory
        self._path = os.path.join(directory, name)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(self._fd, json.dumps({"pid": os.getpid(), "host": os.uname().nodename}).encode())

    def is_alive(self, name: str) -> bool:
        return name == self.name or is_alive(self._directory, name)

    def about(self, name: str) -> dict[str, Any]:
        """What an owner said of itself; empty when it said nothing readable."""
        try:
            with open(os.path.join(self._directory, name), encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def close(self) -> None:
        """Remove the file while it is still locked: nobody can own it between."""
        if self._fd >= 0:
            os.unlink(self._path)
            os.close(self._fd)
            self._fd = -1


def is_alive(directory: str, name: str) -> bool:
    try:
        fd = os.open(os.path.join(directory, name), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
