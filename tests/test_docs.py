"""What the documentation says is what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from holdfast.cli import cli
from holdfast.planfile.json_schema import plan_schema

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
WRITTEN = [page for page in PAGES if page.parent.name != "reference"]


def test_the_reference_is_what_the_code_says() -> None:
    answer = subprocess.run([sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not (page.parent / link).exists()] == []


def test_every_page_of_the_documentation_can_be_reached_from_its_index() -> None:
    start = ROOT / "docs/index.md"
    reached, waiting = {start}, [start]
    while waiting:
        page = waiting.pop()
        found = {(page.parent / link).resolve() for link in links(page) if link.endswith(".md")} - reached
        reached |= found
        waiting += found
    assert set((ROOT / "docs").rglob("*.md")) - reached == set()


def test_the_page_of_the_plan_file_explains_every_key() -> None:
    text = (ROOT / "docs/plan-file.md").read_text() + (ROOT / "docs/howto/opnsense.md").read_text()
    whole = plan_schema()
    parts = "Policy", "Share", "Retry", "EachFile", "task", "stage", "target.ssh", "target.opnsense", "step.wait"
    keys = set(whole["properties"]).union(*(whole["$defs"][part]["properties"] for part in parts))
    assert {key for key in keys - {"wait"} if re.search(rf"[`{{ ]{key}[`:]", text) is None} == set()


def links(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in target and not target.startswith("#"):
            yield target.partition("#")[0]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_shows_exists(page: Path) -> None:
    for line in re.findall(r"^\$ holdfast ([^#|>\n]*)", page.read_text(), re.MULTILINE):
        command: click.Command = cli
        for word in line.partition(" -- ")[0].split():  # what follows is for the hosts
            if isinstance(command, click.Group) and not word.startswith("-"):
                command = command.get_command(click.Context(command), word) or pytest.fail(f"there is no `holdfast {line}`")
            elif word.startswith("--"):
                known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
                assert word in known, f"`{word}` of `holdfast {line}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_chore_that_a_page_shows_exists(page: Path) -> None:
    chores = set(re.findall(r"^def (\w+)\((?:\*\w+: str)?\) -> int:", (ROOT / "dev").read_text(), re.MULTILINE))
    assert set(re.findall(r"\./dev (\w+)", page.read_text())) - chores == set()
