"""Commands to a run that is still being prepared: who asked was told yes, so it is heard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import holdfast
from holdfast import Holdfast
from holdfast.core.events import Event
from holdfast.core.run import Run
from tests.app.conftest import PlanOf


@pytest.mark.parametrize("on_loop", [False, True])
def test_a_run_that_is_cancelled_before_it_begins_does_not_commit(
    hf: Holdfast, state: str, plan_of: PlanOf, root: Path, on_loop: bool
) -> None:
    def cancel(run: Run, events: Sequence[Event]) -> None:
        """Somebody else asks, as soon as there is something to ask it of."""
        if events[0].type == "run.created":
            with holdfast.open(state) as other:
                assert other.ask(run.id, "cancel", by="manual:bob") is not None

    hf.parts.watchers.append(cancel)
    steps = [{"file": "a", "content": "new\n"}, *([{"command": ["true"], "undo": ["true"]}] if on_loop else [])]
    result = hf.apply(plan_of(*steps))
    assert (result.ending, result.errors[0]["code"]) == ("rolled_back", "cancelled")
    assert not (root / "a").exists()
