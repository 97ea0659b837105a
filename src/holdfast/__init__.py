"""Holdfast applies a change to real systems the way a database commits a transaction: all of it or none of it.

    plan = holdfast.load("plan.yaml")
    with holdfast.open() as hf:
        result = hf.apply(plan)

The layers, from the inside out; each knows only those before it:

    core                    decides, and never does: plans, changes, life cycles, decisions; standard library only
    kinds, planfile         operations and plan files, as pure data
    journal, drivers        the durable log; the code that looks at the world and moves it
    runtime                 does, and never decides: performs effects after their intents are durable
    app                     use cases and wiring
    cli (and other faces)   show what app says
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from holdfast.app.engine import Engine, Holdfast, Options
    from holdfast.core.errors import Bug, HoldfastError, PlanError, Problem, Refused, StorageFailed, WorldError
    from holdfast.core.plan import Plan
    from holdfast.core.result import Result
    from holdfast.planfile import load, parse

# Loaded when first asked for: `import holdfast` and `holdfast --help` must cost next to nothing.
_WHERE = {
    "Engine": "holdfast.app.engine",
    "Holdfast": "holdfast.app.engine",
    "Options": "holdfast.app.engine",
    "Bug": "holdfast.core.errors",
    "HoldfastError": "holdfast.core.errors",
    "PlanError": "holdfast.core.errors",
    "Problem": "holdfast.core.errors",
    "Refused": "holdfast.core.errors",
    "StorageFailed": "holdfast.core.errors",
    "WorldError": "holdfast.core.errors",
    "Plan": "holdfast.core.plan",
    "Result": "holdfast.core.result",
    "load": "holdfast.planfile",
    "parse": "holdfast.planfile",
}


def open(state: str | None = None, **options: Any) -> Holdfast:
    """Open a state directory (default: as for the command line) for synchronous use."""
    from holdfast.app.engine import Holdfast

    return Holdfast.open(state, **options)


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module `holdfast` has no attribute `{name}`")
    from importlib import import_module

    return getattr(import_module(where), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})


__all__ = [
    "Bug",
    "Engine",
    "Holdfast",
    "HoldfastError",
    "Options",
    "Plan",
    "PlanError",
    "Problem",
    "Refused",
    "Result",
    "StorageFailed",
    "WorldError",
    "__version__",
    "load",
    "open",
    "parse",
]
