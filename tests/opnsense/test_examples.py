"""The examples run against the simulator, each with one command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "opnsense"


@pytest.mark.parametrize(
    ("name", "ending"), [("guest-vlan", "committed"), ("haproxy-site", "committed"), ("lock-out", "rolled_back")]
)
def test_an_example_ends_as_it_says(name: str, ending: str) -> None:
    answer = subprocess.run([sys.executable, FOLDER, name], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.splitlines()[0] == f"{name}: {ending}"
    assert "what is configured runs: yes" in answer.stdout
