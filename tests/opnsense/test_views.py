"""What the command line prints of objects: their states have no type, no mode and no owner."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import Holdfast
from holdfast.cli import main
from holdfast.testing.opnsense import Simulator
from tests.opnsense.conftest import PlanOf, alias, named, rule


def test_drift_tells_the_fields_that_differ(
    hf: Holdfast, sim: Simulator, plan_of: PlanOf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hf.apply(plan_of(rule("ssh", 22), rule("http", 80)))
    rules = named(sim, "firewall.rule", "description")
    sim.foreign("set", "firewall.rule", rules["ssh"], fields={"destination_port": "23", "log": "1"})
    sim.foreign("del", "firewall.rule", rules["http"])
    assert main(["--state", str(tmp_path / "state"), "drift"]) == 2
    said = capsys.readouterr().out
    assert "recorded  destination_port: 22\n" in said and "found     destination_port: 23\n" in said
    assert f"recorded  uuid: {rules['http']}, description: http" in said and "found     absent\n" in said


def test_a_checkpoint_shows_what_an_object_holds(
    hf: Holdfast, sim: Simulator, plan_of: PlanOf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hf.apply(plan_of(alias("web", "10.0.0.1")))
    hf.checkpoint_create("good")
    assert main(["--state", str(tmp_path / "state"), "checkpoint", "show", "good"]) == 0
    assert "content: 10.0.0.1" in capsys.readouterr().out
