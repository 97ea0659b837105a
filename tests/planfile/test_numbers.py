"""Where a text is wanted inside a list or a mapping, a number is one."""

from __future__ import annotations

import pytest

from holdfast.core.errors import PlanError
from holdfast.kinds.command import Command
from holdfast.planfile import from_canonical, parse


def test_numbers_among_the_words_and_variables_of_a_command_are_texts() -> None:
    plan = parse("holdfast: 1\nname: n\nsteps:\n  - command: [sleep, 2, 0.5]\n    env: {PORT: 80}\n")
    operation = plan.steps[0].operation
    assert isinstance(operation, Command)
    assert operation.argv == ("sleep", "2", "0.5")
    assert operation.env == {"PORT": "80"}
    assert from_canonical(plan.document).digest == plan.digest


def test_a_mode_without_quotes_is_still_a_problem() -> None:
    with pytest.raises(PlanError, match="mode"):
        parse("holdfast: 1\nname: n\nsteps:\n  - dir: /a\n    mode: 755\n")


def test_true_and_nothing_are_no_texts() -> None:
    for step in ("{command: [echo, true]}", "{command: x, env: {A: true}}", "{command: false}", "{file: /a, content: 5}"):
        with pytest.raises(PlanError) as caught:
            parse(f"holdfast: 1\nname: n\nsteps:\n  - {step}\n")
        assert [problem.hint for problem in caught.value.problems] == ["write it in quotes"]
