"""Targets that do not answer while a plan is prepared: each is told once, at the first step that needs it."""

from __future__ import annotations

from pathlib import Path

import holdfast
from holdfast.testing.sshd import free_port

TEXT = """
holdfast: 1
name: far
targets: {{w: {{ssh: "nobody@127.0.0.1:{0}"}}, x: {{ssh: "nobody@127.0.0.1:{1}"}}}}
tasks:
  - name: near
    steps: [{{dir: {2}/near, id: near}}]
  - name: far
    on: [w, x]
    steps: [{{dir: /far, id: "first-${{target.name}}"}}, {{dir: /farther, id: "second-${{target.name}}"}}]
"""
TROUBLES = [("first-w@w", "unreachable"), ("first-x@x", "unreachable")]


def far_away(tmp_path: Path) -> holdfast.Plan:
    return holdfast.parse(TEXT.format(free_port(), free_port(), tmp_path))


def test_a_preview_tells_every_target_that_does_not_answer(tmp_path: Path) -> None:
    with holdfast.open(tmp_path / "state") as hf:
        preview = hf.plan(far_away(tmp_path))
    assert [(problem.step, problem.code) for problem in preview.problems] == TROUBLES
    assert not preview.changes


def test_a_run_is_refused_with_the_steps_that_need_them_and_touches_nothing(tmp_path: Path) -> None:
    with holdfast.open(tmp_path / "state") as hf:
        result = hf.apply(far_away(tmp_path))
    assert result.ending == "refused"
    assert list(result.failed) == [step for step, _ in TROUBLES]
    assert [(error["step"], error["code"]) for error in result.errors] == TROUBLES
    assert not (tmp_path / "near").exists()
