"""Which changes of a chain were really made, as far as the world and the driver tell."""

from __future__ import annotations

from holdfast.core.change import Change
from holdfast.runtime.chains import chains_of, never_made
from holdfast.testing.builders import Value

A, B, NOTHING = Value("a"), Value("b"), Value()


def put(key: str, before: Value, after: Value) -> Change:
    return Change(key, before, after)


def judged(changes: list[Change], found: dict[str, Value], untouched: str = "", sure: str = "") -> str:
    """The numbers of the changes that were never made."""
    chains = chains_of([(str(number), change) for number, change in enumerate(changes)])
    states = {key: found.get(key, NOTHING) for key in chains.turns}
    return "".join(sorted(never_made(chains, states, set(untouched), set(sure))))


def test_what_lies_beyond_the_state_that_is_found_was_never_made() -> None:
    chain = [put("/f", NOTHING, A), put("/f", A, B), put("/f", B, NOTHING)]
    assert judged(chain, {"/f": A}) == "12"
    assert judged(chain, {"/f": B}) == "2"


def test_a_chain_that_comes_back_is_judged_by_what_the_driver_keeps() -> None:
    chain = [put("/f", A, NOTHING), put("/f", NOTHING, A)]
    assert judged(chain, {"/f": A}) == ""
    assert judged(chain, {"/f": A}, untouched="0") == "01"


def test_what_somebody_wrote_down_was_made() -> None:
    chain = [put("/f", NOTHING, A), put("/f", A, NOTHING), put("/f", NOTHING, B)]
    assert judged(chain, {}) == "2"
    assert judged(chain, {}, sure="012") == ""


def test_a_foreign_state_tells_nothing() -> None:
    chain = [put("/f", NOTHING, A), put("/f", A, B)]
    assert judged(chain, {"/f": Value("foreign")}) == ""


def test_what_comes_after_a_change_that_was_never_made_was_not_either() -> None:
    chain = [put("/f", NOTHING, A), put("/f", A, B)]
    assert judged(chain, {"/f": Value("foreign")}, untouched="0") == "01"


def test_what_is_inside_of_something_taken_away_later_was_made() -> None:
    changes = [put("/d/f", A, NOTHING), put("/d/f", NOTHING, B), put("/d", A, NOTHING)]
    assert judged(changes, {"/d": A, "/d/f": A}) == "012"
    assert judged(changes, {}) == ""


def test_what_was_to_be_made_inside_of_what_never_came_was_not_made() -> None:
    changes = [put("/d", NOTHING, A), put("/d/f", A, B)]
    assert judged(changes, {}) == "01"
