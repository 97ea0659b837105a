"""Break plans on a host at many moments: kill the client, cut the link, stop sshd; then recover and compare.

    python -m holdfast.testing.crash_ssh [--points N]

A plan of files, a tree and commands is applied through a real sshd and broken at a moment that moves through it. After
`recover` the host must be exactly as before or exactly as planned, and every command in balance.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import holdfast
from holdfast.testing import zoo
from holdfast.testing.sshd import Sshd

FILES: Final = 60
LARGE_BYTES: Final = 5_000_000

Break = Callable[[Sshd, "subprocess.Popen[bytes]"], None]


def _kill_client(server: Sshd, client: subprocess.Popen[bytes]) -> None:
    client.send_signal(signal.SIGKILL)


def _cut_link(server: Sshd, client: subprocess.Popen[bytes]) -> None:
    server.cut()


def _restart_sshd(server: Sshd, client: subprocess.Popen[bytes]) -> None:
    server.stop()
    time.sleep(0.2)
    server.start()


BREAKS: Final[dict[str, Break]] = {"client killed": _kill_client, "link cut": _cut_link, "sshd killed": _restart_sshd}


class Trial:
    """One plan, broken once."""

    def __init__(self, folder: Path, server: Sshd) -> None:
        self.root = folder / "root"
        self.state = folder / "state"
        self.plan = folder / "plan.json"
        self._large = folder / "large"
        self._server = server
        self.root.mkdir()
        (self.root / "old").write_text("old\n")
        self._large.write_bytes(os.urandom(LARGE_BYTES))
        self.plan.write_text(json.dumps(self._document()))
        self.before = zoo.manifest(self.root)

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "holdfast", "apply", str(self.plan), "--yes", "--state", str(self.state)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def verdict(self) -> str:
        """What is wrong after recovery; empty when nothing is."""
        with holdfast.open(str(self.state)) as hf:
            hf.recover()
            rows = hf.journal.runs(limit=1)
        ending = rows[0].ending if rows else None
        log = self.root / "log"
        counted = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        if counted.count("did") > 1:
            return f"{ending}: a command ran {counted.count('did')} times"
        if ending == "committed":
            return "" if (self.root / "large").read_bytes() == self._large.read_bytes() else "committed, and not all is there"
        if ending not in ("rolled_back", "refused", None):
            return f"it ended as {ending}"
        if counted.count("did") > counted.count("undid"):
            return "rolled back, and the command was not undone"
        return "" if zoo.manifest(self.root)["old"] == self.before["old"] and self._is_empty() else "something is left"

    def _is_empty(self) -> bool:
        return [path.name for path in self.root.iterdir()] == ["old"]

    def _document(self) -> dict[str, Any]:
        server = self._server
        way = {"key": str(server.key), "known_hosts": str(server.known_hosts), "config": "none"}
        log = self.root / "log"
        steps: list[dict[str, Any]] = [{"file": str(self.root / f"f{n}"), "content": f"{n}\n"} for n in range(FILES)]
        steps += [
            {"file": str(self.root / "old"), "content": "new\n", "id": "old"},
            {"upload": str(self._large), "to": str(self.root / "large"), "id": "large"},
            {
                "command": ["sh", "-c", f"echo did >>{log}; sleep 0.2"],
                "undo": ["sh", "-c", f"echo undid >>{log}"],
                "needs": ["old", "large"],
            },
        ]
        target = {"ssh": f"{server.user}@127.0.0.1:{server.port}", **way}
        return {"holdfast": 1, "name": "broken", "targets": {"h": target}, "on": "h", "steps": steps}


def run(points: int) -> int:
    """Break it at so many moments in every way; the number of trials that went wrong."""
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="holdfast-crash-") as base:
        stash = Path(base) / "stash"
        with Sshd(SetEnv=f"HOLDFAST_REMOTE={stash}") as server:
            usual_s = _time(Trial(_folder(base, "usual"), server))
            for name, breaks in BREAKS.items():
                said = [_try(base, f"{name} {point}", server, breaks, usual_s * point / points) for point in range(points)]
                bad = [each for each in said if each]
                wrong += len(bad)
                sys.stdout.write(f"{name}: {points} points, {len(bad)} wrong {bad or ''}\n")
    return wrong


def _try(base: str, name: str, server: Sshd, breaks: Break, after_s: float) -> str:
    trial = Trial(_folder(base, name), server)
    client = trial.start()
    time.sleep(after_s)
    breaks(server, client)
    client.wait()
    return trial.verdict()


def _time(trial: Trial) -> float:
    started = time.monotonic()
    trial.start().wait()
    return time.monotonic() - started


def _folder(base: str, name: str) -> Path:
    found = Path(base) / name.replace(" ", "-")
    found.mkdir()
    return found


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=30, help="moments per way to break (30)")
    return 1 if run(parser.parse_args().points) else 0


if __name__ == "__main__":
    sys.exit(main())
