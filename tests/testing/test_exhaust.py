"""Short plans, crashed everywhere; the large budget is `python -m holdfast.testing.exhaust`."""

from __future__ import annotations

from holdfast.testing import exhaust


def test_every_plan_of_up_to_two_operations_ends_in_the_old_or_the_new_world_wherever_it_dies() -> None:
    count = exhaust.run(2, stride=3)
    assert count.bad == []
    assert count.trials > 500 and count.refused > 0


def test_longer_plans_do_so_as_well() -> None:
    count = exhaust.run(3, stride=97)
    assert count.bad == []
    assert count.trials > 100
