"""The API against its own description: whatever is sent, what comes back is what /openapi.json says may come back."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.generation.stateful import run_state_machine_as_test

from holdfast.web.openapi import describe, statuses
from holdfast.web.routes import ROUTES
from tests.web.conftest import House

EXAMPLES = int(os.environ.get("HOLDFAST_API_EXAMPLES", "5"))  # of each operation
BUDGET = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
STORIES = settings(BUDGET, max_examples=3 * EXAMPLES, stateful_step_count=8)
checks.load_all_checks()
# A document of the right shape may be no plan all the same, which is 422. Who is let in, test_door asks of every route.
LEFT_OUT = [checks.positive_data_acceptance, *checks.CHECKS.get_by_names(["ignored_auth"])]
SCHEMA = schemathesis.openapi.from_dict(describe())
SCHEMA.config.generation.with_security_parameters = False


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("schema"))
    yield house
    house.stop()


def check(house: House, case: schemathesis.Case) -> None:
    headers = {"authorization": f"Bearer {house.server.token}"}
    case.call_and_validate(base_url=house.server.url, headers=headers, excluded_checks=LEFT_OUT)


@SCHEMA.parametrize()
@BUDGET
def test_every_operation_answers_as_it_is_described(case: schemathesis.Case, shared: House) -> None:
    check(shared, case)


def test_what_follows_from_an_answer_is_answered_as_described_as_well(shared: House, tmp_path: Path) -> None:
    """Runs of real plans, and then whatever the links lead to, in any order: pause, undo, confirm, compare ..."""
    numbers = itertools.count()

    class Story(SCHEMA.as_state_machine()):  # type: ignore[misc]
        def before_call(self, case: schemathesis.Case) -> None:
            if case.path in ("/api/v1/runs", "/api/v1/plans") and case.method == "POST":
                steps = [{"file": str(tmp_path / f"f{next(numbers) % 7}"), "content": str(next(numbers))}]
                case.body = {"plan": {"holdfast": 1, "name": "story", "steps": steps}}
            elif case.path == "/api/v1/checkpoints" and case.method == "POST":
                case.body = {"name": f"c{next(numbers)}"}

        def after_call(self, response: Any, case: schemathesis.Case) -> None:
            """What can be asked next must not depend on how quick a run was: a story is told more than once."""
            super().after_call(response, case)
            if response.status_code == 202:
                shared.ended(response.json()["run"])

        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"base_url": shared.server.url, "headers": {"authorization": f"Bearer {shared.server.token}"}}

        def validate_response(self, response: Any, case: schemathesis.Case, **more: Any) -> None:
            case.validate_response(response, excluded_checks=LEFT_OUT)

    run_state_machine_as_test(Story, settings=STORIES)
    with shared.client() as client:
        stats = client.get("/api/v1/stats").json()["runs"]["by_ending"]
    assert sum(stats.values()) >= 5


def test_the_description_says_for_every_route_what_it_may_answer() -> None:
    document = describe()
    assert document["openapi"] == "3.1.0"
    for route in ROUTES:
        operation = document["paths"][route.path][route.method.lower()]
        assert list(operation["responses"]) == [str(status) for status in statuses(route)]
        assert bool(operation["security"]) == (route.role is not None)
