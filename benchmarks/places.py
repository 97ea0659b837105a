"""Fresh places to work in, removed at the end; and the programs that are compared."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence

LINK_TREE = """
import os, sys
source, to = sys.argv[1:]
for d in os.listdir(source):
    os.mkdir(f"{to}/{d}")
    for f in os.listdir(f"{source}/{d}"):
        os.symlink(f"{source}/{d}/{f}", f"{to}/{d}/{f}")
"""

LINK_LOOP = """
import os, sys
to, count = sys.argv[1], int(sys.argv[2])
for i in range(count):
    os.symlink("/usr/share/target", f"{to}/link{i}")
"""

# What durability costs at the least: temporary files, one sync of the file system, then the renames and one more sync.
DURABLE_FILES = """
import ctypes, os, sys
source, to = sys.argv[1:]
libc = ctypes.CDLL(None)
names = os.listdir(source)
for name in names:
    with open(f"{source}/{name}", "rb") as file:
        data = file.read()
    fd = os.open(f"{to}/.{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(fd, data)
    os.close(fd)
root = os.open(to, os.O_RDONLY)
libc.syncfs(root)
for name in names:
    os.rename(f"{to}/.{name}", f"{to}/{name}")
libc.syncfs(root)
"""


class Place:
    """A directory of its own for one benchmark."""

    def __init__(self) -> None:
        self.base = tempfile.mkdtemp(prefix="holdfast-bench-")
        self.count = 0

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.base, ignore_errors=True)

    def fresh(self, name: str) -> str:
        """A new empty directory. The ones before it stay until the end: ext4 is slow where much was just deleted."""
        self.count += 1
        path = os.path.join(self.base, f"{name}.{self.count}")
        os.mkdir(path)
        return path

    def path(self, name: str) -> str:
        return os.path.join(self.base, name)

    def write(self, name: str, text: str) -> str:
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def plan(self, name: str, steps: Sequence[dict[str, object]]) -> str:
        document = {"holdfast": 1, "name": name, "steps": list(steps)}
        return self.write(f"{name}.json", json.dumps(document))

    def yaml_links(self, name: str, to: str, count: int) -> str:
        lines = ["holdfast: 1", f"name: {name}", "steps:"]
        for number in range(count):
            lines += [f"  - link: {to}/link{number}", "    to: /usr/share/target", "    dangling: true"]
        return self.write(f"{name}.yaml", "\n".join(lines) + "\n")


def python(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", script, *arguments]


def holdfast(state: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "holdfast", "--state", state, *arguments]
