"""What the tests of roll-outs share: services that end with the test, and a state directory of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import holdfast
from holdfast.app.engine import Holdfast
from tests.rollouts.services import Service


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    made: list[Service] = []

    def make(document: dict[str, Any] | None = None) -> Service:
        made.append(Service(document))
        return made[-1]

    yield make
    for service in made:
        service.close()


@pytest.fixture
def hf(tmp_path: Any) -> Iterator[Holdfast]:
    with holdfast.open(str(tmp_path / "state")) as opened:
        yield opened
