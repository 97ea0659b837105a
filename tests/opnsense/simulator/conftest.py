from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.testing.opnsense import Simulator
from tests.opnsense.simulator.client import Client


@pytest.fixture
def appliance() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def client(appliance: Simulator) -> Client:
    return Client(appliance)
