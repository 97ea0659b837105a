"""The simulator as a program and as a fixture: what people get who only want to try something."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from holdfast.testing.opnsense import Simulator
from holdfast.testing.opnsense.fixtures import opnsense_sim
from tests.opnsense.simulator.client import Client

__all__ = ["opnsense_sim"]
PROGRAM = [sys.executable, "-m", "holdfast.testing.opnsense"]
WORLD = '[["firewall.alias"]]\nname = "servers"\ntype = "host"\ncontent = "10.0.0.1"\n'


def test_the_console_script_is_this_program_and_explains_itself() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    entry = project["project"]["scripts"]["holdfast-opnsense-sim"]
    assert callable(EntryPoint("sim", entry, "console_scripts").load())
    said = subprocess.run([*PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(option in said for option in ("--profile", "--fixture", "--config-file", "--arm", "--tls"))


@pytest.mark.parametrize("option", ["--fixture", "--seed"])
def test_it_begins_with_the_objects_of_a_file(option: str, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(WORLD)
    command = [*PROGRAM, option, str(tmp_path / "small.toml"), "--config-file", str(tmp_path / "config.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            assert json.loads(program.stdout.readline())["url"].startswith("http://127.0.0.1:")
            aliases = json.loads((tmp_path / "config.json").read_text())["firewall.alias"].values()
            assert "servers" in {alias["name"] for alias in aliases}
        finally:
            program.terminate()


@pytest.mark.parametrize(
    ("text", "words"),
    [('[["firewall.alas"]]\n', "no items 'firewall.alas'"), ('[["firewall.alias"]]\nnam = "x"\n', "no field 'nam'")],
)
def test_objects_that_cannot_be_are_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(text)
    ended = subprocess.run([*PROGRAM, "--fixture", str(tmp_path / "bad.toml")], capture_output=True, text=True, check=False)
    assert ended.returncode == 2 and words in ended.stderr


def test_the_fixture_is_an_appliance_that_serves(opnsense_sim: Simulator) -> None:
    opnsense_sim.begin_with({"firewall.category": [{"name": "Guests"}]})
    rows = Client(opnsense_sim).post("firewall/category/search_item")["rows"]
    assert [row["name"] for row in rows] == ["Guests"]
    assert opnsense_sim.pending == []
