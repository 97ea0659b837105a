"""Break plans on a host at many moments and in many ways, then recover and compare.

    python -m holdfast.testing.crash_ssh [--points N] [--shell]

A plan of files, commands, a script and a large upload goes through a real sshd, over a link of our own, to a disk of its
own (where we may mount one), and is broken at a moment that moves through it. After `recover` the host must be exactly as
before or exactly as planned, with every effect in balance, no half file under a final name, and nothing else left.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import holdfast
from holdfast.testing import zoo
from holdfast.testing.link import Link
from holdfast.testing.sshd import Sshd

FILES: Final = 40
LARGE_BYTES: Final = 50_000_000
DISK_BYTES: Final = 4 * LARGE_BYTES
SLOW_RATE: Final = 8e6
DOWN_S: Final = 0.2
PATIENCE_S: Final = 120.0  # for a run that was broken to come to its end by itself
_NOTES: Final = "stash/.runs"  # the directory of notes stays, as the stash does; what is in it counts
_EFFECTS: Final = ("command", "script")


@dataclass(kw_only=True)
class Site:
    """The host that is broken, and what lies on it."""

    server: Sshd
    link: Link
    folder: Path  # of the client
    disk: Path  # of the host
    large: Path

    @property
    def kept(self) -> frozenset[str]:
        """What there is beside the trials: stashes, notes, temporary files."""
        found = (path.relative_to(self.disk) for part in ("stash", "tmp") for path in (self.disk / part).rglob("*"))
        return frozenset(str(path) for path in found) - {_NOTES}


Break = Callable[[Site, "subprocess.Popen[bytes]"], None]


def _kill_client(site: Site, client: subprocess.Popen[bytes]) -> None:
    client.send_signal(signal.SIGKILL)


def _restart_sshd(site: Site, client: subprocess.Popen[bytes]) -> None:
    site.server.stop()
    time.sleep(DOWN_S)
    site.server.start()


def _cut_link(site: Site, client: subprocess.Popen[bytes]) -> None:
    site.link.cut()


def _slow_link(site: Site, client: subprocess.Popen[bytes]) -> None:
    site.link.rate = SLOW_RATE


def _fill_disk(site: Site, client: subprocess.Popen[bytes]) -> None:
    with suppress(OSError), (site.disk / "full").open("wb") as file:
        while True:
            file.write(bytes(1024 * 1024))


FULL: Final = "disk full"  # the undo of a command may need room as well: then the run is stuck, and says so
BREAKS: Final[dict[str, Break]] = {
    "client killed": _kill_client,
    "sshd killed": _restart_sshd,
    "link cut": _cut_link,
    "slow link": _slow_link,
    FULL: _fill_disk,
}


def mend(site: Site) -> None:
    site.link.rate = None
    (site.disk / "full").unlink(missing_ok=True)


class Trial:
    """One plan, broken once."""

    def __init__(self, site: Site, name: str) -> None:
        folder = site.folder / name
        folder.mkdir()
        self.root = site.disk / name
        self.state = folder / "state"
        self.plan = folder / "plan.json"
        self._site = site
        self.root.mkdir()
        (self.root / "old").write_text("old\n")
        self.plan.write_text(json.dumps(self._document()))
        self.before = zoo.manifest(self.root)
        self._kept = site.kept

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "holdfast", "apply", str(self.plan), "--yes", "--state", str(self.state)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def verdict(self, *, may_stick: bool = False) -> str:
        """What is wrong after recovery; empty when nothing is. `may_stick`: an undo may have lacked what is there again."""
        with holdfast.open(str(self.state)) as hf:
            hf.recover()
            rows = hf.journal.runs(limit=1)
            ending = rows[0].ending if rows else None
            if ending == "stuck" and may_stick:
                ending = hf.rollback(rows[0].id).ending
            problems = self._unbalanced(ending) or self._misplaced(ending)
            hf.parts.runs_held_max = 0
            hf.settle(all_runs=True)  # the before-images of a committed run are kept until then
        left = sorted(self._site.kept - self._kept)
        return f"{ending}: {problems}" if problems else f"{ending}: left on the host: {left}" if left else ""

    def _unbalanced(self, ending: str | None) -> str:
        log = self.root / "log"
        said = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        for name in _EFFECTS:
            did, undid = said.count(f"{name}-did"), said.count(f"{name}-undid")
            if did > 1:
                return f"the {name} ran {did} times"
            if ending == "committed" and (did, undid) != (1, 0):
                return f"the {name} ran {did} times and was undone {undid} times"
            if ending != "committed" and did > undid:
                return f"the {name} was not undone"
        return ""

    def _misplaced(self, ending: str | None) -> str:
        names = {path.name for path in self.root.iterdir()}
        if ending == "committed":
            planned = {"old", "large", *(f"f{number}" for number in range(FILES))}
            same = (self.root / "large").exists() and _digest(self.root / "large") == _digest(self._site.large)
            return "" if names == planned and same else f"not as planned: {sorted(names ^ planned)}"
        if ending not in ("rolled_back", "refused", None):
            return "it should have gone back"
        same = zoo.manifest(self.root).get("old") == self.before["old"]
        return "" if names == {"old"} and same else f"not as before: {sorted(names - {'old'})}"

    def _document(self) -> dict[str, Any]:
        server, link = self._site.server, self._site.link
        log = self.root / "log"
        steps: list[dict[str, Any]] = [{"file": str(self.root / f"f{n}"), "content": f"{n}\n"} for n in range(FILES)]
        steps += [
            {"file": str(self.root / "old"), "content": "new\n", "id": "old"},
            {"upload": str(self._site.large), "to": str(self.root / "large"), "id": "large"},
            {
                "id": "command",
                "command": ["sh", "-c", f"echo command-did >>{log}; sleep 0.2"],
                "undo": ["sh", "-c", f"echo command-undid >>{log}"],
                "needs": ["old"],
            },
            {
                "id": "script",
                "script": f"echo script-did >>{log}\nsleep 0.2\n",
                "undo": ["sh", "-c", f"echo script-undid >>{log}"],
                "needs": ["command", "large"],
            },
        ]
        way = {"key": str(server.key), "known_hosts": str(self._site.folder / "known_hosts"), "config": "none"}
        target = {"ssh": f"{server.user}@127.0.0.1:{link.port}", **way}
        return {"holdfast": 1, "name": "broken", "targets": {"h": target}, "on": "h", "steps": steps}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def site(large_bytes: int = LARGE_BYTES, *, shell: bool = False) -> Iterator[Site]:
    """With `shell` the host is one that has no Python."""
    with tempfile.TemporaryDirectory(prefix="holdfast-crash-") as base, _disk(Path(base) / "disk") as disk:
        folder = Path(base) / "client"
        folder.mkdir()
        for name in ("stash", "tmp"):
            (disk / name).mkdir(mode=0o700)
        large = folder / "large"
        large.write_bytes(os.urandom(large_bytes))
        around = f"HOLDFAST_REMOTE={disk}/stash TMPDIR={disk}/tmp{' HOLDFAST_PYTHON=none' if shell else ''}"
        with Sshd(SetEnv=around) as server, Link(server.port) as link:
            known = server.known_hosts.read_text().replace(f":{server.port} ", f":{link.port} ")
            (folder / "known_hosts").write_text(known)
            yield Site(server=server, link=link, folder=folder, disk=disk, large=large)


@contextmanager
def _disk(at: Path) -> Iterator[Path]:
    """A small file system where we may mount one, so that it can be full; else a directory."""
    at.mkdir()
    mounted = (
        may_mount()
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", at], check=False, stderr=subprocess.DEVNULL
        ).returncode
    )
    try:
        yield at
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", at], check=True)


def may_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None


def run(points: int, *, shell: bool = False) -> int:
    """Break it at so many moments in every way; the number of trials that went wrong."""
    wrong = 0
    with site(shell=shell) as where:
        usual_s = usual(where)
        for name in BREAKS:
            if name == FULL and not may_mount():
                sys.stdout.write(f"{name}: not tried, because only root may mount a disk that is small\n")
                continue
            said = [attempt(where, name, usual_s * point / points) for point in range(points)]
            bad = [each for each in said if each]
            wrong += len(bad)
            sys.stdout.write(f"{name}: {points} points, {len(bad)} wrong {bad or ''}\n")
            sys.stdout.flush()
    return wrong


def usual(where: Site) -> float:
    """How long a run takes that nobody breaks."""
    trial = Trial(where, "usual")
    started = time.monotonic()
    code = trial.start().wait()
    took_s = time.monotonic() - started
    problem = trial.verdict()
    if code or problem:
        raise RuntimeError(f"what nobody breaks should work: exit code {code} {problem}")
    shutil.rmtree(trial.root)
    return took_s


def attempt(where: Site, way: str, after_s: float) -> str:
    trial = Trial(where, f"{way.replace(' ', '-')}-{after_s:.3f}")
    client = trial.start()
    time.sleep(after_s)
    BREAKS[way](where, client)
    try:
        client.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        client.kill()
        client.wait()
        return f"after {after_s:.3f} s: it never ended"
    finally:
        mend(where)
    said = trial.verdict(may_stick=way == FULL)
    shutil.rmtree(trial.root)
    return said and f"after {after_s:.3f} s: {said}"


def main() -> int:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20, help="moments per way to break (20)")
    parser.add_argument("--shell", action="store_true", help="a host without Python")
    asked = parser.parse_args()
    return 1 if run(asked.points, shell=asked.shell) else 0


if __name__ == "__main__":
    sys.exit(main())
