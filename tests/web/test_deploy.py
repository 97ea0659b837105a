"""The files for operating a server say only what the server knows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from holdfast.cli import cli
from tests.web.conftest import House

DEPLOY = Path(__file__).parents[2] / "deploy"
FUNCTIONS = {"sum", "rate", "increase", "clamp_min", "histogram_quantile", "by", "le"}


def test_the_dashboard_of_grafana_shows_metrics_that_are_there(house: House) -> None:
    run = house.begin(house.file())
    house.ended(run)
    known = house.metrics(having="executor_duration_seconds_count")
    panels = json.loads((DEPLOY / "grafana.json").read_text())["panels"]
    asked = {name for panel in panels for target in panel["targets"] for name in re.findall(r"[a-z_]{2,}", target["expr"])}
    assert asked - FUNCTIONS <= known, asked - FUNCTIONS - known


def test_durations_are_told_in_steps_that_tell_runs_apart(house: House) -> None:
    house.ended(house.begin(house.file()))
    house.metrics(having="executor_duration_seconds_count")
    with house.client() as client:
        text = client.get("/metrics").text
    steps = [float(step) for step in re.findall(r'executor_duration_seconds_bucket\{le="([0-9.]+)"', text)]
    assert sum(0 < step < 5 for step in steps) > 3


def test_the_unit_and_the_image_use_options_that_exist() -> None:
    serve = cli.get_command(click.Context(cli), "serve")
    assert serve is not None
    known = {option for parameter in serve.params for option in parameter.opts}
    for name in ("holdfast.service", "Containerfile"):
        lines = [line for line in (DEPLOY / name).read_text().splitlines() if re.match(r"ExecStart=|CMD \[\"serve", line)]
        assert lines
        assert set(re.findall(r"--[a-z-]+", lines[0])) <= known
