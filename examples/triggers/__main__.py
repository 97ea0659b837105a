"""The janitor and the watchdog, once each, in a directory with something to do for them.

    python examples/triggers [DIRECTORY]

Nothing outside of that directory is touched. Without one it is a temporary directory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
HOUR = 3600.0


def prepare(place: Path) -> None:
    """Sessions and queue items of some age, and a worker that has not said anything for ten minutes."""
    for name in ("janitor.yaml", "watchdog.yaml", "queue", "worker"):
        shutil.copy(HERE / name, place / name)
    for name, hours in (("alice", 1.0), ("bob", 3.0), ("carol", 30.0), ("root.keep", 99.0)):
        aged(place / "sessions" / name, hours, "session\n")
    for name, attempts in (("fresh", 0), ("tried", 2), ("hopeless", 5)):
        aged(place / "items" / name, 0.0, f"{attempts}\n")
    aged(place / "worker.log", 1 / 6, "did something\n")


def aged(path: Path, hours: float, content: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    then = time.time() - hours * HOUR
    os.utime(path, (then, then))


def holdfast(place: Path, *words: str) -> int:
    print(f"\n$ holdfast {' '.join(words)}", flush=True)
    command = [sys.executable, "-m", "holdfast", "--state", str(place / "state"), *words]
    return subprocess.run(command, cwd=place, check=False).returncode


def show(place: Path, folder: str) -> None:
    print(f"{folder}/: {' '.join(sorted(path.name for path in (place / folder).iterdir()))}", flush=True)


def main() -> int:
    place = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="holdfast-triggers-")).absolute()
    place.mkdir(parents=True, exist_ok=True)
    prepare(place)
    show(place, "sessions")
    show(place, "items")
    code = holdfast(place, "trigger", "check", "stale-sessions", "--dry-run", "--triggers", "janitor.yaml")
    code |= holdfast(place, "trigger", "run", "--once", "--triggers", "janitor.yaml")
    show(place, "sessions")
    show(place, "items")
    code |= holdfast(place, "trigger", "run", "--once", "--triggers", "watchdog.yaml")
    print(f"asked of the worker: {(place / 'asked').read_text().strip()}", flush=True)
    code |= holdfast(place, "history", "--cleanups")
    code |= holdfast(place, "rollback", "last", "--yes")
    show(place, "sessions")
    return code


if __name__ == "__main__":
    sys.exit(main())
