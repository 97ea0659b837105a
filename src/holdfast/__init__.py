"""Holdfast applies a change to real systems the way a database commits a transaction: all of it or none of it.

    plan = holdfast.load("plan.yaml")   # or holdfast.parse(text); raises PlanError with all its .problems
    with holdfast.open() as hf:         # over the state directory of the command line
        preview = hf.plan(plan)         # .changes .problems .irreversible; nothing is touched
        result = hf.apply(plan)         # never raises for an ending: .ending .executed .failed .rolled_back .errors

`async with holdfast.Engine.open() as engine` is the same with `await`. Usable beside it: `holdfast.ssh`, `holdfast.history`,
`holdfast.rollouts`; and `holdfast.testing`, for kinds and drivers of your own.
"""

# The layers, from the inside out; each knows only those before it:
#
#     core                    decides, and never does: plans, changes, life cycles, decisions; standard library only
#     kinds, planfile         operations and plan files, as pure data
#     journal, drivers        the durable log; the code that looks at the world and moves it
#     runtime                 does, and never decides: performs effects after their intents are durable
#     app                     use cases and wiring
#     cli (and other faces)   show what app says

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

__version__ = "0.1.0"

if TYPE_CHECKING:
    from os import PathLike

    from holdfast.app.engine import Engine, Holdfast, Options
    from holdfast.app.opening import Injected
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


def open(state: str | PathLike[str] | None = None, **injected: Unpack[Injected]) -> Holdfast:
    """Open a state directory (default: as for the command line) to work with it without an event loop; see `Engine.open`."""
    from holdfast.app.engine import Holdfast

    return Holdfast.open(state, **injected)


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
