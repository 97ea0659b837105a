"""For the tests of kinds, drivers and plans of your own; what Holdfast itself is tested with.

    class TestLamps(DriverSuite):                 # the laws of every driver; `KindSuite` has those of every kind,
        def trial(self, tmp_path): ...            # and `FilesSuite` holds a driver of paths to more

`builders` has small worlds and virtual time, `faulty` drivers that fail where they are told to, `crash` a kill at every
boundary, `simulation` whole runs by chance; `sshd` starts real servers, `opnsense` is a simulated appliance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.testing.conformance import FilesSuite
    from holdfast.testing.laws import DriverSuite, KindSuite

_WHERE = {
    "DriverSuite": "holdfast.testing.laws",
    "FilesSuite": "holdfast.testing.conformance",
    "KindSuite": "holdfast.testing.laws",
}


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module `holdfast.testing` has no attribute `{name}`")
    from importlib import import_module

    return getattr(import_module(where), name)


__all__ = ["DriverSuite", "FilesSuite", "KindSuite"]
