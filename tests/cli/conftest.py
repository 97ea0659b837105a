"""The command line as a shell sees it: what it printed where, and its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import pytest

from holdfast.cli import main

T = TypeVar("T")
SOURCE = str(Path(__file__).parents[2] / "src")


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Shell:
    """One state directory and one working directory. `run` calls `main` here; `process` and `start` are real processes."""

    def __init__(self, home: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.state = home / "state"
        self._capture = capture
        self._started: list[subprocess.Popen[str]] = []
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "USER": "alice",
            "LANG": "C.UTF-8",
            "PYTHONPATH": SOURCE,
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOLDFAST_STATE": str(self.state),
        }
        for name, value in self.environment.items():
            patch.setenv(name, value)
        patch.delenv("NO_COLOR", raising=False)
        patch.chdir(home)

    def write(self, name: str, text: str) -> str:
        """A plan in the working directory."""
        (self.home / name).write_text(text)
        return name

    def steps(self, *steps: str, name: str = "plan.yaml", plan: str = "demo", top: str = "") -> str:
        """A plan of these steps; each is YAML."""
        lines = "".join("  - " + step.strip().replace("\n", "\n    ") + "\n" for step in steps)
        return self.write(
            name, f"holdfast: 1\nname: {plan}\n{top}steps:\n{lines}" if steps else f"holdfast: 1\nname: {plan}\nsteps: []\n"
        )

    def run(self, *words: str) -> Ended:
        self._capture.readouterr()
        code = main(words)
        out, err = self._capture.readouterr()
        return Ended(code, out, err)

    def json(self, *words: str) -> Any:
        return self.run(*words, "--json").document

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "holdfast", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
        process = subprocess.Popen(command, env=self.environment, cwd=self.home, text=True, **pipes)
        self._started.append(process)
        return process

    def until(self, so: Callable[[], T], patience_s: float = 30.0) -> T:
        """Wait for something that another process does."""
        deadline = monotonic() + patience_s
        while not (found := so()):
            assert monotonic() < deadline, "it never happened"
        return found

    def process(self, *words: str, text: str | None = None) -> Ended:
        return ended(self.start(*words, stdin=subprocess.PIPE), text)

    def imported(self, *words: str) -> set[str]:
        """The packages that a command imports, and the modules of holdfast by their full names."""
        program = f"import sys; sys.path.insert(0, {SOURCE!r}); from holdfast.cli import main; sys.exit(main())"
        command = [sys.executable, "-I", "-X", "importtime", "-c", program, *words]  # -I: nothing a shell might have set up
        done = subprocess.run(command, env=self.environment, cwd=self.home, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        lines = (text.rpartition("|")[2].strip() for text in done.stderr.splitlines() if text.startswith("import time:"))
        return {name.partition(".")[0] if not name.startswith("holdfast") else name for name in lines}

    def close(self) -> None:
        """Nothing that was started outlives its test."""
        for process in self._started:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        (self.home / "over").touch()  # what a killed process left running


def ended(process: subprocess.Popen[str], text: str | None = None) -> Ended:
    out, err = process.communicate(text, timeout=60)
    return Ended(process.returncode, out, err)


# A run that holds its locks until it is told to go on.
WAIT = "touch held; until [ -e go ] || [ -e over ]; do sleep 0.02; done; rm -f go held"


def holding(shell: Shell, *words: str) -> subprocess.Popen[str]:
    hold = f"command: [sh, -c, '{WAIT}']\nneeds: [a]\nid: hold\nundo: 'true'\ncwd: {shell.home}"
    process = shell.start("apply", shell.steps("file: a\ncontent: x\nid: a", hold), "--yes", *words, preexec_fn=hear_signals)
    shell.until(lambda: (shell.home / "held").exists())
    return process


def let_go(shell: Shell, process: subprocess.Popen[str]) -> Ended:
    (shell.home / "go").touch()
    return ended(process)


def hear_signals() -> None:
    """A shell that starts something in the background may have it ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupt(process: subprocess.Popen[Any]) -> None:
    """Ctrl-C, as impatient people do it: Python may miss one that comes just before it waits for input."""
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    with closing(Shell(tmp_path, capsys, monkeypatch)) as found:
        yield found
