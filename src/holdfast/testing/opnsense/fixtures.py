"""For pytest: `from holdfast.testing.opnsense.fixtures import opnsense_sim`, in a `conftest.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.testing.opnsense.simulator import Simulator


@pytest.fixture
def opnsense_sim() -> Iterator[Simulator]:
    """A simulated appliance of the newest version, as new for every test, with `url`, `key` and `secret`."""
    with Simulator("26.7") as simulator:
        yield simulator
