"""The plans that people copy: examples, and what the pages show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import holdfast
from holdfast.triggers.file import load, parse

ROOT = Path(__file__).parent.parent
TRIGGERS = sorted((ROOT / "examples/triggers").glob("*.yaml"))
EXAMPLES = sorted({*(ROOT / "examples").rglob("*.yaml")} - {*TRIGGERS})
ENVIRONMENT = {"HOME": "/home/somebody", "OPN_URL": "https://fw.example"}
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SHOWN = [
    pytest.param(text, id=f"{page.name}-{number}")
    for page in PAGES
    for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL))
    if "holdfast: 1" in text
]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_example_is_a_plan(file: Path) -> None:
    assert holdfast.load(file, env=ENVIRONMENT).steps


@pytest.mark.parametrize("file", TRIGGERS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_example_of_triggers_is_sound(file: Path) -> None:
    assert load(file).triggers


def test_the_janitor_and_the_watchdog_do_what_they_say_and_it_can_be_taken_back(tmp_path: Path) -> None:
    place = tmp_path / "place"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    answer = subprocess.run(
        [sys.executable, ROOT / "examples/triggers", place], capture_output=True, text=True, check=False, env=environment
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    shown = [line for line in answer.stdout.splitlines() if line.startswith("sessions/: ")]
    assert shown == [
        f"sessions/: {names}" for names in ("alice bob carol root.keep", "alice root.keep", "alice bob carol root.keep")
    ]
    assert (place / "dead/hopeless").exists()
    assert (place / "asked").read_text() == "nudge watcher:idle-worker\n"


@pytest.mark.parametrize("text", [text for text in SHOWN if "\nactions:" in text.values[0]])
def test_every_file_of_triggers_that_a_page_shows_is_sound(text: str) -> None:
    assert parse(text, base="/srv").actions


@pytest.mark.parametrize("text", [text for text in SHOWN if "\nactions:" not in text.values[0]])
def test_every_plan_that_a_page_shows_is_one(text: str) -> None:
    try:
        assert holdfast.parse(text, base="/srv", env=ENVIRONMENT).steps
    except holdfast.PlanError as error:
        assert "needs: [today]" in text  # the mistake that the tutorial makes on purpose
        assert [problem.code for problem in error.problems] == ["unknown_step"]


def test_the_demo_commits_then_rolls_back_to_an_identical_tree(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, ROOT / "examples/demo", tmp_path / "demo"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "byte for byte" in answer.stdout
