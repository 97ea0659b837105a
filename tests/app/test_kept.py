"""Plans that are shown now and applied later, by id and digest."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import holdfast
from holdfast import Holdfast, Refused
from holdfast.app.opening import open_parts
from holdfast.app.plans.kept import AGE_MAX_S, KeptPlan, KeptPlans
from tests.app.conftest import PlanOf

Keep = Callable[..., KeptPlan]


class At:
    """A clock that stands where it was put."""

    def __init__(self, now: float) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def clock() -> At:
    return At(1_800_000_000.0)


@pytest.fixture
def hf(state: str, clock: At) -> Iterator[Holdfast]:
    parts = open_parts(state)
    parts.clock = clock
    with Holdfast(parts) as engine:
        yield engine


@pytest.fixture
def plans(hf: Holdfast) -> KeptPlans:
    return KeptPlans.of(hf.parts)


@pytest.fixture
def keep(hf: Holdfast, plans: KeptPlans, plan_of: PlanOf) -> Keep:
    def make(content: str = "new", by: str = "mcp") -> KeptPlan:
        return plans.keep(hf.plan(plan_of({"file": "a", "content": content})), by=by)

    return make


def test_a_kept_plan_survives_a_restart(hf: Holdfast, state: str, clock: At, keep: Keep) -> None:
    kept = keep()
    hf.close()
    parts = open_parts(state)
    parts.clock = clock
    with Holdfast(parts) as again:
        found = KeptPlans.of(again.parts).reviewed(kept.id, kept.digest)
        assert found.plain() == kept.plain()
        assert again.apply(found.exact).ending == "committed"


def test_it_says_who_had_it_previewed_and_what_was_shown(keep: Keep, root: Path) -> None:
    shown = keep(by="api:alice").plain()
    assert shown["by"] == "api:alice"
    assert shown["made_at"] == "2027-01-15T08:00:00.000Z"
    assert [change["resource"] for change in shown["changes"]] == [f"local:{root}/a"]


def test_it_is_what_plan_out_saves(state: str, keep: Keep, root: Path) -> None:
    from holdfast.cli import main

    kept = keep()
    assert main(["--state", state, "apply", f"{state}/plans/{kept.id}.json", "--yes", "--json"]) == 0
    assert (root / "a").read_text() == "new"


def test_it_is_private(state: str, keep: Keep) -> None:
    os.umask(0)
    kept = keep()
    assert stat.S_IMODE(os.stat(f"{state}/plans").st_mode) == 0o700
    assert stat.S_IMODE(os.stat(f"{state}/plans/{kept.id}.json").st_mode) == 0o600


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "", "sha256:", "*"])
def test_another_digest_is_stale(plans: KeptPlans, keep: Keep, digest: str) -> None:
    with pytest.raises(Refused) as refused:
        plans.reviewed(keep().id, digest)
    assert refused.value.code == "stale_plan"


def test_the_digest_of_another_kept_plan_is_stale(plans: KeptPlans, keep: Keep) -> None:
    with pytest.raises(Refused) as refused:
        plans.reviewed(keep("one").id, keep("two").digest)
    assert refused.value.code == "stale_plan"


def test_a_world_that_changed_makes_it_stale(hf: Holdfast, keep: Keep, root: Path) -> None:
    kept = keep()
    (root / "a").write_text("somebody else")
    result = hf.apply(kept.exact)
    assert (result.ending, result.errors[0]["code"]) == ("refused", "stale_plan")


@pytest.mark.parametrize("name", ["", "nope", "../journal/journal", "0" * 26, "7" * 26, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "a\0b"])
def test_a_plan_that_is_not_kept_is_unknown(plans: KeptPlans, keep: Keep, name: str) -> None:
    keep()
    with pytest.raises(Refused) as refused:
        plans.find(name)
    assert refused.value.code == "not_found"


def test_only_the_newest_are_kept(hf: Holdfast, keep: Keep, clock: At) -> None:
    few = KeptPlans(hf.parts.home.plans, clock, hf.parts.ids, plans_max=3)
    all_of_them = [keep(str(number)).id for number in range(5)]
    few.keep(hf.plan(few.find(all_of_them[-1]).exact.plan), by="mcp")
    assert few.ids()[1:] == all_of_them[:2:-1]
    assert len(os.listdir(few.path)) == 3


def test_an_old_one_is_forgotten(plans: KeptPlans, keep: Keep, clock: At, state: str) -> None:
    old = keep("old")
    Path(state, "plans", f"{old.id}.json.new").write_bytes(b"what a dead process had not finished")
    clock.time += AGE_MAX_S + 1
    with pytest.raises(Refused):
        plans.find(old.id)
    new = keep("new")
    assert os.listdir(plans.path) == [f"{new.id}.json"]


def test_it_is_found_by_the_beginning_of_its_digest(plans: KeptPlans, keep: Keep) -> None:
    first = keep()
    again = keep()
    keep("other")
    assert first.digest == again.digest
    assert plans.by_digest(first.digest).id == again.id
    assert plans.by_digest(first.digest[:20]).id == again.id
    assert plans.by_digest(first.digest.removeprefix("sha256:")[:12]).id == again.id


@pytest.mark.parametrize("name", ["", "sha256:", "sha256:xyz", "f" * 64, "F" * 12, "last"])
def test_a_digest_of_no_kept_plan_is_unknown(plans: KeptPlans, keep: Keep, name: str) -> None:
    keep()
    with pytest.raises(Refused) as refused:
        plans.by_digest(name)
    assert refused.value.code == "not_found"


def test_a_beginning_of_two_digests_is_not_enough(plans: KeptPlans, keep: Keep) -> None:
    seen: dict[str, str] = {}
    for number in range(20):  # of seventeen digests two begin alike
        digest = keep(str(number)).digest
        letter = digest.removeprefix("sha256:")[0]
        if letter in seen:
            break
        seen[letter] = digest
    with pytest.raises(Refused, match="more than one"):
        plans.by_digest("sha256:" + letter)


def test_a_plan_with_problems_is_kept_and_refused_when_it_is_applied(hf: Holdfast, plans: KeptPlans, plan_of: PlanOf) -> None:
    kept = plans.keep(hf.plan(plan_of({"link": "l", "to": "/nowhere/at/all"})), by="mcp")
    assert plans.find(kept.id).preview["problems"][0]["code"] == "source_not_found"
    assert hf.apply(plans.reviewed(kept.id, kept.digest).exact).ending == "refused"


def test_a_full_disk_is_a_clear_error(hf: Holdfast, plan_of: PlanOf, state: str) -> None:
    Path(state, "plans").write_text("not a directory")
    with pytest.raises(holdfast.StorageFailed):
        KeptPlans.of(hf.parts).keep(hf.plan(plan_of({"file": "a", "content": ""})), by="mcp")
