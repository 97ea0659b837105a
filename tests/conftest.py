"""What holds for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.umask(0o022)  # what tests say of permissions holds for this one, whoever runs them

settings.register_profile("holdfast", deadline=None)  # how long an example takes says more of the machine than of the code
settings.load_profile("holdfast")

# These decide and never do: what fails here once is wrong, and trying again would only hide it.
PURE = ("core", "kinds", "planfile", "journal")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Under `--reruns`, which CI asks for, only tests that share the machine with real processes may try again."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] in PURE:
            item.add_marker(pytest.mark.flaky(reruns=0))
