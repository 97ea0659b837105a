"""The suites for kinds and drivers of other packages, and such a package itself, from its entry points to a rollback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

import holdfast
from holdfast.core.change import FACTS, Change, Facts, State
from holdfast.core.plan import Operation
from holdfast.kinds import registry
from holdfast.testing.builders import Cells, Put, Value
from holdfast.testing.laws import DriverSuite, KindSuite, Trial

LAMPS = """
from holdfast.core.change import Change, Claim
from holdfast.core.errors import Failure
from holdfast.drivers.contract import DONE, UNCHANGED, Ending, Outcome
from holdfast.kinds.contract import Kind
from holdfast.kinds.document import Document


class Lamp(Kind, frozen=True, kw_only=True):
    kind = "lamps.lamp"
    main = "name"
    family = "lamps"
    name: str
    on: bool = True

    def claims(self):
        return [Claim(f"lamps:{self.name}")]

    def changes(self, view, /):
        key = f"lamps:{self.name}"
        made = view.made(key)
        return [Change(key, made.after if made else view.seen(key), Document({"on": self.on}))]


class Lamps:
    lit = {}

    def __init__(self, target):
        self.target = target.name

    async def inspect(self, looks):
        return {look.key: self._state(look.key) for look in looks}

    def _state(self, key):
        return Document(self.lit.get((self.target, key)))

    async def apply(self, batch):
        return [self._move(move.change) for move in batch.moves]

    def _move(self, change):
        found = self._state(change.key)
        if found.same(change.after):
            return UNCHANGED
        if not found.same(change.before):
            return Outcome(Ending.FAILED, Failure(code="foreign_change", message=change.key))
        self.lit[self.target, change.key] = change.after.values
        return DONE

    async def settle(self, moves):
        pass

    async def close(self):
        pass
"""


@pytest.fixture
def lamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[Any, Any]]:
    """What burns, of a package that brings a kind and its driver."""
    info = tmp_path / "site" / "lamps-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lamps\nVersion: 1\n")
    points = "[holdfast.kinds]\nlamps.lamp = lamps_of_others:Lamp\n[holdfast.drivers]\nlamps = lamps_of_others:Lamps\n"
    (info / "entry_points.txt").write_text(points)
    (tmp_path / "site" / "lamps_of_others.py").write_text(LAMPS)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    caches = (registry.kind_of, registry._foreign)
    for cache in caches:
        cache.cache_clear()
    import lamps_of_others  # type: ignore[import-not-found]

    lamps_of_others.Lamps.lit.clear()
    yield lamps_of_others.Lamps.lit
    for cache in caches:
        cache.cache_clear()


def test_kind_and_driver_of_another_package_are_planned_applied_and_taken_back(lamps: dict[Any, Any], tmp_path: Path) -> None:
    steps = [{"lamps.lamp": "hall", "id": "a"}, {"lamps.lamp": "den", "on": "memory", "id": "b"}]
    plan = holdfast.parse({"holdfast": 1, "name": "evening", "steps": steps})
    with holdfast.open(tmp_path / "state") as hf:
        assert [change["resource"] for change in hf.plan(plan).changes] == ["local:lamps:hall", "memory:lamps:den"]
        result = hf.apply(plan)
        assert lamps == {("local", "lamps:hall"): {"on": True}, ("memory", "lamps:den"): {"on": True}}
        assert hf.apply(plan).ending == "unchanged"
        assert hf.rollback(result.run).ending == "rolled_back"
    assert set(lamps.values()) == {None}


def test_a_driver_that_is_handed_in_takes_the_place_of_a_registered_one(lamps: dict[Any, Any], tmp_path: Path) -> None:
    import lamps_of_others

    class Candles(lamps_of_others.Lamps):  # type: ignore[misc]
        lit: ClassVar[dict[Any, Any]] = {}

    plan = holdfast.parse({"holdfast": 1, "name": "evening", "steps": [{"lamps.lamp": "hall"}]})
    with holdfast.open(tmp_path / "state", drivers={"lamps": Candles}) as hf:
        assert hf.apply(plan).ending == "committed"
    assert (lamps, Candles.lit) == ({}, {("local", "lamps:hall"): {"on": True}})


class TestCells(DriverSuite):
    def trial(self, tmp_path: Any) -> Trial:
        cells = Cells({"a": "1"})
        changes = [Change("a", Value("1"), Value("2")), Change("b", Value(None), Value("1"))]

        def disturb(key: str) -> None:
            cells.cells[key] = "foreign"

        return Trial(cells, changes, lambda: dict(cells.cells), disturb)


class TestPut(KindSuite):
    def operation(self) -> Operation:
        return Put("a", "2")

    def seen(self) -> Mapping[str, State]:
        return {FACTS: Facts(), "a": Value("1")}
