"""Scripts on this machine: who runs them, what they are given, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import os

import pytest

from holdfast.drivers.contract import Ending
from holdfast.kinds.contract import Secret
from holdfast.kinds.script import Script, Source
from tests.drivers.process.conftest import OURS, apply, move
from tests.drivers.process.test_local import Sudo


def test_a_text_without_a_first_line_is_run_by_the_shell_with_its_arguments(make):
    (outcome,) = apply(make(), move(Script(text='printf "<%s>" "$@"', args=("a b", "", "*"))))
    assert outcome.output == "<a b><><*>"


def test_the_first_line_chooses_the_interpreter(make):
    (outcome,) = apply(make(), move(Script(text="#!/usr/bin/env python3\nimport sys\nprint(sys.argv[1:])", args=("a b",))))
    assert outcome.output == "['a b']\n"


def test_the_step_chooses_the_interpreter(make):
    (outcome,) = apply(make(), move(Script(text="print(6 * 7)", interpreter=("python3", "-u"))))
    assert outcome.output == "42\n"


def test_a_script_may_read_its_own_input_and_environment(make, tmp_path):
    operation = Script(text='cat; echo "$A" "$PWD"', stdin="in ", env={"A": "b"}, cwd=str(tmp_path))
    (outcome,) = apply(make(), move(operation))
    assert outcome.output == f"in b {tmp_path}\n"


def test_a_source_is_read_when_it_is_run(make, tmp_path):
    source = tmp_path / "it.sh"
    source.write_text("echo from a file\n")
    (outcome,) = apply(make(), move(Script(text=Source(str(source)))))
    assert outcome.output == "from a file\n"


@pytest.mark.parametrize(("content", "code"), [(None, "source_not_found"), (b"\xff\xfe", "invalid_value")])
def test_a_source_that_cannot_be_read_is_a_failure(make, tmp_path, content, code):
    source = tmp_path / "it.sh"
    if content is not None:
        source.write_bytes(content)
    (outcome,) = apply(make(), move(Script(text=Source(str(source)))))
    assert (outcome.ending, outcome.failure.code) == (Ending.FAILED, code)


def test_the_file_of_a_script_is_private_and_gone_afterwards(make, work):
    (outcome,) = apply(make(), move(Script(text='stat -c %a "$0" "$(dirname "$0")"; dirname "$(dirname "$0")"')))
    assert outcome.output == f"700\n700\n{work}\n"
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("text", ["exit 3", "kill -9 $$", "sleep 60"])
def test_the_file_is_gone_however_the_script_ends(make, work, text):
    (outcome,) = apply(make(), move(Script(text=text), timeout=0.2))
    assert outcome.ending is Ending.FAILED
    assert list(work.iterdir()) == []


def test_what_a_killed_holdfast_left_of_a_script_is_dropped_with_the_move(make, work):
    for left in (f"{OURS}01RUN_3.x1y2", f"{OURS}01RUN_33.x1y2"):
        (work / left).mkdir(parents=True)
        (work / left / "script").touch()
    apply(make(), move(Script(text="true", undo=("true",)), id="01RUN/3", undo=True))
    assert [path.name for path in work.iterdir()] == [f"{OURS}01RUN_33.x1y2"]
    asyncio.run(make().settle([move(Script(text="true"), id="01RUN/33")]))
    assert list(work.iterdir()) == []


def test_a_script_is_undone_by_its_undo(make, tmp_path):
    operation = Script(text=f"touch {tmp_path}/made", undo=("rm", f"{tmp_path}/made"), check=("test", "-e", f"{tmp_path}/made"))
    driver = make()
    assert apply(driver, move(operation))[0].ending is Ending.DONE
    assert apply(driver, move(operation))[0].ending is Ending.UNCHANGED
    assert apply(driver, move(operation, undo=True))[0].ending is Ending.DONE
    assert not (tmp_path / "made").exists()


def test_a_failed_script_is_named_by_its_source(make, tmp_path):
    source = tmp_path / "it.sh"
    source.write_text("echo sorry >&2; exit 4")
    assert apply(make(), move(Script(text="exit 4")))[0].failure.message == "`the script` ended with exit code 4"
    assert (
        apply(make(), move(Script(text=Source(str(source)))))[0].failure.message == f"`{source}` ended with exit code 4: sorry"
    )


class TestForAnotherUser:
    """What only we may read another user cannot run: the text travels on standard input instead."""

    def test_the_script_runs_with_its_arguments_input_and_exit_code(self, make, tmp_path):
        sudo = Sudo(tmp_path)
        text = '#!/bin/sh\nprintf "<%s>" "$@"; cat; exit 5\n# ünï\n'
        (outcome,) = apply(
            make(sudo=str(sudo.path)), move(Script(text=text, args=("a b", "'"), stdin="own input", sudo="nobody"))
        )
        assert outcome.output == "<a b><'>own input"
        assert "exit code 5" in outcome.failure.message

    def test_its_private_file_is_gone_afterwards(self, make, tmp_path):
        sudo = Sudo(tmp_path)
        (outcome,) = apply(make(sudo=str(sudo.path)), move(Script(text='stat -c %a "$0"; echo "$0"', sudo="nobody")))
        mode, path = outcome.output.split()
        assert mode == "600"
        assert not os.path.exists(os.path.dirname(path))

    def test_its_private_file_is_gone_when_it_took_too_long(self, make, tmp_path):
        sudo = Sudo(tmp_path)
        (outcome,) = apply(make(sudo=str(sudo.path)), move(Script(text='echo "$0"; sleep 60', sudo="nobody"), timeout=0.3))
        assert outcome.failure.code == "timeout"
        assert not os.path.exists(os.path.dirname(outcome.output.strip()))

    def test_neither_text_nor_secret_stands_among_the_arguments(self, make, tmp_path):
        sudo = Sudo(tmp_path)
        operation = Script(text="echo plainly visible; echo $A", env={"A": Secret("env:TOKEN")}, sudo="nobody")
        (outcome,) = apply(make(sudo=str(sudo.path)), move(operation))
        assert outcome.output == "plainly visible\n***\n"
        assert "visible" not in "".join(sudo.calls()) and "hunter2" not in "".join(sudo.calls())
