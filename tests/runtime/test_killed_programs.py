"""A run whose process is killed while a program of it runs: the next process ends the program and takes everything back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from holdfast.drivers.process import leftovers

CANARY = "canary-7d1f-canary"
PLAN = """
holdfast: 1
name: killed
steps:
  - {{file: {folder}/conf, id: conf, content: {{secret: env:CANARY}}}}
  - {{command: [cat, {folder}/conf], id: show, needs: [conf], undo: "true"}}
  - {{command: env, id: env, needs: [conf], undo: "true"}}
  - {{script: "touch {folder}/begun; sleep 300", id: long, needs: [show, env], undo: [touch, {folder}/undone]}}
"""
APPLY = "import holdfast, sys\nplan = holdfast.load(sys.argv[1])\nwith holdfast.open(sys.argv[2]) as hf: hf.apply(plan)"
RECOVER = "import holdfast, sys\nwith holdfast.open(sys.argv[2]) as hf: print(hf.recover(), list(hf.event_documents()))"


def test_nothing_of_it_goes_on_and_no_secret_stays(tmp_path):
    (tmp_path / "plan.yaml").write_text(PLAN.format(folder=tmp_path))
    arguments = [str(tmp_path / "plan.yaml"), str(tmp_path / "state")]
    environ = {**os.environ, "CANARY": CANARY}
    with subprocess.Popen([sys.executable, "-c", APPLY, *arguments], env=environ) as running:
        _wait_for(tmp_path / "begun")
        running.send_signal(signal.SIGKILL)
    assert _of_the_script(tmp_path)
    done = subprocess.run([sys.executable, "-c", RECOVER, *arguments], env=environ, capture_output=True, text=True)
    assert "rolled_back" in done.stdout, done.stderr
    assert (tmp_path / "undone").exists() and not (tmp_path / "conf").exists()
    assert not _of_the_script(tmp_path)
    assert list((tmp_path / "state" / "work").iterdir()) == []
    assert CANARY not in done.stdout + done.stderr
    assert [path for path in (tmp_path / "state").rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()] == []


def _of_the_script(folder: Path) -> list[int]:
    """Processes of moves that were started for this test's state directory."""
    found = [pid for pids in leftovers.marked().values() for pid in pids]
    return [pid for pid in found if str(folder).encode() in _arguments(pid)]


def _arguments(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)
