"""Programs on this machine: what they are given, what is said about them, and how they are undone."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from holdfast.core.change import Effect, Look
from holdfast.drivers.contract import Ending
from holdfast.drivers.process import leftovers
from holdfast.kinds.contract import Secret
from tests.drivers.process.conftest import OURS, apply, command, move, shell


def test_a_list_reaches_the_program_word_for_word(make):
    words = ["a b", "", "$HOME", "*", "'", '"', "\\", "-n", "line\nbreak", "ünï"]
    (outcome,) = apply(make(), move(command(["printf", "<%s>", *words])))
    assert outcome.ending is Ending.DONE
    assert outcome.output == "".join(f"<{word}>" for word in words)


def test_a_string_is_split_like_a_shell_would_and_no_shell_runs_it(make):
    (outcome,) = apply(make(), move(command("printf '<%s>' 'a b' $HOME ; echo")))
    assert outcome.output == "<a b><$HOME><;><echo>"


def test_only_shell_true_hands_a_string_to_a_shell(make):
    (outcome,) = apply(make(), move(shell("echo $((6 * 7)) | tr 4 5")))
    assert outcome.output == "52\n"


def test_environment_directory_and_input_are_given_to_the_program(make, tmp_path):
    operation = shell('echo "$NAME in $(pwd)"; cat', env={"NAME": "ada"}, cwd=str(tmp_path), stdin="typed")
    (outcome,) = apply(make(), move(operation))
    assert outcome.output == f"ada in {tmp_path}\ntyped"


def test_without_an_input_a_program_reads_nothing(make):
    (outcome,) = apply(make(), move(command(["cat"])))
    assert (outcome.ending, outcome.output) == (Ending.DONE, "")


def test_input_that_nobody_reads_harms_nobody(make):
    (outcome,) = apply(make(), move(command(["true"], stdin="x" * 1_000_000)))
    assert outcome.ending is Ending.DONE


def test_a_program_runs_in_a_session_of_its_own(make):
    (outcome,) = apply(
        make(), move(command(["python3", "-c", "import os; print(os.getpid() == os.getsid(0) == os.getpgrp())"]))
    )
    assert outcome.output == "True\n"


def test_another_exit_code_is_a_failure_with_the_last_words_of_the_program(make):
    (outcome,) = apply(make(), move(shell("echo out; for n in 1 2 3 4 5 6 7; do echo line $n >&2; done; exit 3")))
    assert outcome.ending is Ending.FAILED
    assert outcome.failure.code == "command_failed"
    assert "exit code 3: line 3 / line 4 / line 5 / line 6 / line 7" in outcome.failure.message
    assert "out\n" in outcome.output


def test_exit_codes_that_are_fine_are_a_success(make):
    (outcome,) = apply(make(), move(shell("exit 3", ok_codes=(0, 3))))
    assert outcome.ending is Ending.DONE


def test_a_program_that_dies_of_a_signal_says_which(make):
    (outcome,) = apply(make(), move(shell("kill -9 $$")))
    assert outcome.failure.code == "command_failed"
    assert "ended by SIGKILL" in outcome.failure.message


@pytest.mark.parametrize(
    ("operation", "code", "words"),
    [
        (command(["no-such-program", "x"]), "source_not_found", "the program of `no-such-program x` was not found"),
        (command(["/etc/passwd"]), "permission_denied", "may not be run"),
        (command(["true"], cwd="/no/such/place"), "source_not_found", "directory /no/such/place does not exist"),
        (command(["true"], env={"A": Secret("env:MISSING")}), "not_found", "`env:MISSING` is not there"),
        (command(["true"], stdin=Secret("file:/no/such/file")), "not_found", "`file:/no/such/file` cannot be read"),
    ],
)
def test_what_cannot_be_started_is_a_failure_with_a_name(make, operation, code, words):
    (outcome,) = apply(make(), move(operation))
    assert (outcome.ending, outcome.failure.code) == (Ending.FAILED, code)
    assert words in outcome.failure.message


def test_a_file_that_is_no_program_is_a_failure(make, tmp_path):
    strange = tmp_path / "strange"
    strange.write_bytes(b"\x7fELF not really")
    strange.chmod(0o700)
    (outcome,) = apply(make(), move(command([str(strange)])))
    assert outcome.failure.code == "command_failed"


def test_output_is_bounded_and_says_how_much_is_missing(make):
    driver = make(output_bytes_max=1000)
    (outcome,) = apply(driver, move(command(["python3", "-c", "print('begin' + 'x' * 100_000 + 'end')"])))
    assert outcome.output.startswith("begin") and outcome.output.endswith("end\n")
    assert "[99009 bytes left out]" in outcome.output
    assert len(outcome.output) < 1100


def test_output_has_no_control_characters(make):
    (outcome,) = apply(make(), move(command(["printf", "\033[31mred\033[0m\r\n\033]0;title\007a\ab\tc\u202e"])))
    assert outcome.output == "red\nab\tc"


def test_a_daemon_that_keeps_the_pipes_open_is_not_waited_for(make):
    started = time.perf_counter()
    (outcome,) = apply(make(), move(shell("sleep 30 & echo started")))
    assert time.perf_counter() - started < 20
    assert outcome.ending is Ending.DONE
    asyncio.run(leftovers.stop(f"{OURS}run-1", 2.0))


def test_what_is_already_so_is_not_run(make, tmp_path):
    operation = command(["touch", str(tmp_path / "ran")], check=("test", "-d", str(tmp_path)))
    (outcome,) = apply(make(), move(operation))
    assert outcome.ending is Ending.UNCHANGED
    assert not (tmp_path / "ran").exists()


def test_applying_twice_runs_what_has_a_check_once(make, tmp_path):
    operation = shell(f"echo x >> {tmp_path}/log", check=("test", "-e", f"{tmp_path}/log"))
    driver = make()
    assert [apply(driver, move(operation))[0].ending for _ in range(2)] == [Ending.DONE, Ending.UNCHANGED]
    assert (tmp_path / "log").read_text() == "x\n"


def test_a_check_that_cannot_be_asked_is_no_licence_to_run(make, tmp_path):
    operation = command(["touch", str(tmp_path / "ran")], check=("no-such-check",))
    (outcome,) = apply(make(), move(operation))
    assert (outcome.ending, outcome.failure.code) == (Ending.FAILED, "source_not_found")
    assert not (tmp_path / "ran").exists()


def test_a_check_has_a_time_limit(make):
    (outcome,) = apply(make(check_timeout_s=0.1), move(command(["true"], check=("sleep", "60"))))
    assert (outcome.ending, outcome.failure.code) == (Ending.FAILED, "timeout")


def test_inspecting_asks_the_check_with_the_surroundings_of_the_step(make, tmp_path):
    (tmp_path / "there").touch()
    so = command(["true"], check='test -e "$NAME"', shell=True, cwd=str(tmp_path), env={"NAME": "there"}).question
    not_so = command(["true"], check=("test", "-e", "absent"), cwd=str(tmp_path)).question
    unclear = command(["true"], check=("no-such-check",)).question
    keys = [so, not_so, unclear, "command/it"]
    found = asyncio.run(make().inspect([Look(key) for key in keys]))
    assert [found[key] for key in keys] == [Effect(True), Effect(False), Effect(None), Effect(None)]


def test_undo_runs_the_counter_action_in_the_same_surroundings(make, tmp_path):
    operation = shell('touch "$NAME"', undo='rm "$NAME"', cwd=str(tmp_path), env={"NAME": "made"})
    driver = make()
    assert apply(driver, move(operation))[0].ending is Ending.DONE
    assert (tmp_path / "made").exists()
    assert apply(driver, move(operation, undo=True))[0].ending is Ending.DONE
    assert not (tmp_path / "made").exists()


def test_what_declares_no_undo_says_that_it_cannot_be_taken_back(make):
    (outcome,) = apply(make(), move(command(["true"]), undo=True))
    assert (outcome.ending, outcome.failure.code) == (Ending.FAILED, "unsupported")
    assert "by hand" in outcome.failure.hint


def test_without_an_undo_nothing_is_to_be_taken_back_when_the_check_says_it_is_not_so(make):
    (outcome,) = apply(make(), move(command(["true"], check=("false",)), undo=True))
    assert outcome.ending is Ending.UNCHANGED


def test_an_undo_that_fails_is_a_failure(make):
    (outcome,) = apply(make(), move(shell("true", undo="echo no >&2; exit 9"), undo=True))
    assert outcome.failure.message == "`echo no >&2; exit 9` ended with exit code 9: no"


def test_after_a_failure_the_rest_of_a_batch_is_never_begun(make):
    moves = [move(command([program]), id=f"run-{n}") for n, program in enumerate(["true", "false", "true"])]
    assert [outcome.ending for outcome in apply(make(), *moves)] == [Ending.DONE, Ending.FAILED, Ending.SKIPPED]


def test_who_keeps_going_skips_only_what_needs_the_failed_one(make):
    moves = [
        move(command(["false"]), id="run-0"),
        move(command(["true"]), id="run-1"),
        move(command(["true"]), id="run-2", needs=(0,)),
        move(command(["true"]), id="run-3", needs=(2,)),
    ]
    endings = [outcome.ending for outcome in apply(make(), *moves, keep_going=True)]
    assert endings == [Ending.FAILED, Ending.DONE, Ending.SKIPPED, Ending.SKIPPED]


def test_outcomes_tell_how_long_it_took(make):
    (outcome,) = apply(make(), move(command(["sleep", "0.05"])))
    assert 0.05 <= outcome.duration_s < 20


class Sudo:
    """A stand-in that notes how it was called and runs the rest as the one who calls."""

    def __init__(self, folder: Path, first: str = "") -> None:
        self.path = folder / "sudo"
        self.log = folder / "sudo.log"
        loop = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'
        self.path.write_text(f'#!/bin/sh\necho "$*" >> {self.log}\n{first}\n{loop}\n')
        self.path.chmod(0o755)

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


def test_another_user_is_asked_of_sudo_without_a_prompt_and_with_names_of_variables_only(make, tmp_path):
    sudo = Sudo(tmp_path)
    operation = command(["printenv", "A"], env={"A": Secret("env:TOKEN")}, sudo="nobody")
    (outcome,) = apply(make(sudo=str(sudo.path)), move(operation))
    assert sudo.calls() == ["-n --preserve-env=A,HOLDFAST_MOVE -u nobody -- printenv A"]
    assert outcome.output == "***\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is root already")
@pytest.mark.parametrize("user", [True, "root"])
def test_who_is_that_user_already_needs_no_sudo(make, tmp_path, user):
    sudo = Sudo(tmp_path)
    (outcome,) = apply(make(sudo=str(sudo.path)), move(command(["true"], sudo=user)))
    assert (outcome.ending, sudo.calls()) == (Ending.DONE, [])


def test_a_sudo_that_wants_a_password_is_a_refusal_with_a_hint(make, tmp_path):
    sudo = Sudo(tmp_path, "echo 'sudo: a password is required' >&2; exit 1")
    (outcome,) = apply(make(sudo=str(sudo.path)), move(command(["true"], sudo="nobody")))
    assert outcome.failure.code == "permission_denied"
    assert "without a password" in outcome.failure.hint
