"""Pipes that break, streams that are closed, terminals that come and go."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress

from tests.cli.conftest import Shell, interrupt

FILE = "file: a\ncontent: x\nid: a"


def test_a_reader_that_had_enough_is_no_error(shell: Shell) -> None:
    shell.run("apply", shell.steps(*(f"file: f{number}\ncontent: x" for number in range(200))), "--yes")
    process = shell.start("events", "last")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert (process.wait(timeout=30), process.stderr.read()) == (0, "")


def test_nobody_who_listens_is_no_reason_to_stop_a_run(shell: Shell) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = shell.start("apply", shell.steps(FILE), "--yes", stdout=writer, stderr=writer)
    os.close(writer)
    assert process.wait(timeout=30) == 0
    assert shell.json("show", "last")["ending"] == "committed"


def test_closed_streams_do_not_end_up_in_the_journal(shell: Shell) -> None:
    command = f"exec {sys.executable} -m holdfast apply {shell.steps(FILE)} --yes <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], env=shell.environment, cwd=shell.home).returncode == 0
    assert shell.json("journal", "verify")["ok"]


def test_a_question_without_any_standard_input_is_refused_and_a_plan_from_there_is_empty(shell: Shell) -> None:
    for words, code, message in (("apply plan.yaml", 4, "this asks first"), ("plan -", 2, "a plan file is a mapping")):
        command = f"exec {sys.executable} -m holdfast {words} <&-"
        shell.steps(FILE)
        done = subprocess.run(["sh", "-c", command], env=shell.environment, cwd=shell.home, capture_output=True, text=True)
        assert done.returncode == code and message in done.stderr


# -- a terminal


class Terminal:
    """A process that has a terminal, and what appears there."""

    def __init__(self, shell: Shell, *words: str, **environment: str) -> None:
        self.screen = ""
        ours, theirs = pty.openpty()
        self._fd = ours
        self.process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", *words],
            env={**shell.environment, "TERM": "xterm-256color", **environment},
            cwd=shell.home,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def until(self, words: str) -> None:
        while words not in self.screen:
            self.screen += os.read(self._fd, 65536).decode()

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def end(self) -> int:
        with suppress(OSError):  # the kernel's way to say that the other side is closed
            while data := os.read(self._fd, 65536):
                self.screen += data.decode()
        os.close(self._fd)
        return self.process.wait(timeout=30)


def test_apply_shows_the_plan_and_asks(shell: Shell) -> None:
    terminal = Terminal(shell, "apply", shell.steps(FILE))
    terminal.until("[y/N]")
    assert "1 to create" in terminal.screen and "\x1b[32m" in terminal.screen
    terminal.type("y\n")
    assert terminal.end() == 0
    assert "committed" in terminal.screen
    assert (shell.home / "a").exists()


def test_no_is_the_answer_when_nothing_is_said(shell: Shell) -> None:
    terminal = Terminal(shell, "apply", shell.steps(FILE))
    terminal.until("[y/N]")
    terminal.type("\n")
    assert terminal.end() == 4
    assert "Apply this?\x1b[0m [y/N] \r\n" in terminal.screen  # the answer stands beside the question
    assert not (shell.home / "a").exists()
    assert shell.json("runs") == {"runs": []}


def test_what_changed_while_somebody_thought_it_over_is_not_overwritten(shell: Shell) -> None:
    terminal = Terminal(shell, "apply", shell.steps(FILE))
    terminal.until("[y/N]")
    (shell.home / "a").write_text("somebody else")
    terminal.type("y\n")
    assert terminal.end() == 4
    assert "stale_plan" in terminal.screen
    assert (shell.home / "a").read_text() == "somebody else"


def test_ctrl_c_at_the_question_touches_nothing(shell: Shell) -> None:
    terminal = Terminal(shell, "apply", shell.steps(FILE))
    terminal.until("[y/N]")
    interrupt(terminal.process)
    assert terminal.end() == 130
    assert not (shell.home / "a").exists()


def test_nothing_to_do_is_not_asked_about(shell: Shell) -> None:
    plan = shell.steps(FILE)
    shell.run("apply", plan, "--yes")
    terminal = Terminal(shell, "apply", plan)
    assert terminal.end() == 0
    assert "[y/N]" not in terminal.screen and "nothing to do" in terminal.screen


def test_a_terminal_shows_what_is_under_way(shell: Shell) -> None:
    wait = f"command: [sh, -c, 'while [ ! -e go ]; do sleep 0.02; done']\nundo: 'true'\nid: slow-one\ncwd: {shell.home}"
    terminal = Terminal(shell, "apply", shell.steps(FILE, wait), "--yes")
    terminal.until("1/2")
    terminal.until("slow-one")
    (shell.home / "go").touch()
    assert terminal.end() == 0


def test_ctrl_c_on_a_terminal_says_what_a_second_one_does_and_that_one_leaves_the_terminal_as_it_was(shell: Shell) -> None:
    terminal = Terminal(shell, "apply", shell.steps("command: [sleep, '60']\nundo: 'true'"), "--yes")
    terminal.until("0/1")
    terminal.process.send_signal(signal.SIGINT)
    terminal.until("stops at once")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert terminal.screen.endswith("\r\n\x1b[?25hstopped at once; what it left is finished by: holdfast recover\r\n")
    assert shell.json("recover")["recovered"][0]["ending"] == "rolled_back"


def test_colours_are_left_out_where_they_are_not_wanted(shell: Shell) -> None:
    plan = shell.steps(FILE)
    for words, environment in ((("--no-color",), {}), ((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"})):
        terminal = Terminal(shell, "plan", plan, *words, **environment)
        assert terminal.end() == 0
        assert "\x1b" not in terminal.screen and "1 to create" in terminal.screen
    assert "\x1b" not in shell.run("plan", plan).out, "and where nobody looks"


def test_nothing_from_outside_speaks_to_the_terminal(shell: Shell) -> None:
    evil = "\\x1b]0;owned\\x07\\x1b[2J\\x9b31m\\u202e"
    file = f'file: "a{evil}"\ncontent: "one{evil}\\n"'
    plan = shell.write(
        "plan.yaml",
        f"holdfast: 1\nname: demo\nsteps:\n  - {{id: f, {', '.join(file.splitlines())}}}\n"
        '  - {id: noisy, command: [sh, -c, \'printf "\\033[2Jnoise" >&2; exit 3\'], undo: "true", needs: [f]}\n',
    )
    for words in (("plan", plan), ("apply", plan, "--yes"), ("show", "last"), ("events", "last"), ("runs",)):
        terminal = Terminal(shell, *words, "--no-color", "-v")
        terminal.end()
        assert not set(terminal.screen) & {"\x1b", "\x07", "\x9b", "\u202e"}, terminal.screen
    assert "\\x1b" in terminal.screen or "\\x1b" in shell.run("plan", plan).out


def test_a_terminal_without_unicode_gets_plain_characters(shell: Shell) -> None:
    shell.run("apply", shell.steps(FILE), "--yes")
    shell.environment.update({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"})
    shown = shell.process("show", "last").out
    assert shown.isascii() and "`- " in shown


def test_a_line_without_an_end_is_cut_unless_everything_was_asked_for(shell: Shell) -> None:
    plan = shell.steps(f"file: a\ncontent: {'x' * 5000}")
    assert max(map(len, shell.run("plan", plan).out.splitlines())) < 500
    assert "x" * 5000 in shell.run("plan", plan, "--verbose").out
