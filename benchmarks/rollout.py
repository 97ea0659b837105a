"""`./dev bench rollout`: what a roll-out costs by step, whether that grows with the number of tenants, and how much a
waiting task weighs. What is changed lies in memory, the journal is the usual one on disk; every figure is from one run.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
import tracemalloc
from typing import NamedTuple

from holdfast.app.engine import Holdfast
from holdfast.core.plan import Plan
from holdfast.core.run import Run
from holdfast.planfile import parse

STAGES = 3
STEPS = 3
STEP_US_MAX = 60.0
GROWTH_MAX = 1.3  # of the cost of a step, from a thousand tenants to ten thousand
WAITING_BYTES_MAX = 1024


def plan_of(tenants: int) -> Plan:
    stages = [
        {"name": f"s{stage}", "steps": [{"file": f"/${{each.tenant}}-{stage}-{step}", "content": "x"} for step in range(STEPS)]}
        for stage in range(STAGES)
    ]
    task = {"name": "deploy", "each": [{"tenant": f"t{n}"} for n in range(tenants)], "stages": stages}
    return parse({"holdfast": 1, "name": "many", "on": "memory", "policy": {"scope": "task"}, "tasks": [task]})


class Took(NamedTuple):
    seconds: float
    of_a_core: float  # without what was waited for: the disk, and on a busy machine the others


def apply(plan: Plan) -> Took:
    """From the plan to its ending."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as state, Holdfast.open(state) as engine:
        gc.collect()
        wall, core = time.perf_counter(), time.process_time()
        result = engine.apply(plan)
        took = Took(time.perf_counter() - wall, time.process_time() - core)
        assert result.ending == "committed", result.errors
    return took


def step_us(tenants: int, rounds: int) -> Took:
    plan = plan_of(tenants)
    took = min(apply(plan) for _ in range(rounds))
    return Took(*(seconds / (tenants * STAGES * STEPS) * 1e6 for seconds in took))


def bytes_of_a_waiting_task(tenants: int) -> float:
    """What a run keeps for each task that has not begun, beside its steps."""
    plan = plan_of(tenants)
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    run = Run.of("R1", plan, plan.policy)
    after = tracemalloc.take_snapshot()
    tracemalloc.stop()
    assert run.startable
    columns = sum(map(sys.getsizeof, (run.ids, run.kinds, run.lanes, run.steps, run.waits)))
    return (sum(difference.size_diff for difference in after.compare_to(before, "filename")) - columns) / tenants


def rows(rounds: int, tenants: int = 1000) -> list[tuple[str, str, str, bool]]:
    """What was measured, beside what it should be."""
    small, large = step_us(tenants, rounds), step_us(10 * tenants, 1)
    growth, waiting = large.of_a_core / small.of_a_core, bytes_of_a_waiting_task(tenants)
    step, limit = f"a step of {tenants:,} tenants x {STAGES} x {STEPS}", f"<= {STEP_US_MAX:g} us"
    return [
        (step, f"{small.seconds:.1f} us", limit, small.seconds <= STEP_US_MAX),
        ("the same, of a core", f"{small.of_a_core:.1f} us", limit, small.of_a_core <= STEP_US_MAX),
        ("the same, ten times as many tenants", f"{growth:.2f} x", f"<= {GROWTH_MAX:g} x", growth <= GROWTH_MAX),
        (
            "memory of a waiting task, beside its steps",
            f"{waiting:.0f} B",
            f"<= {WAITING_BYTES_MAX} B",
            waiting <= WAITING_BYTES_MAX,
        ),
    ]
