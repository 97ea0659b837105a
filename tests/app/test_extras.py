"""What only some people install is asked for by its name."""

from __future__ import annotations

import pytest

from holdfast.app.extras import EXTRA_OF, absent, brought
from holdfast.core.errors import Refused


@pytest.mark.parametrize("library", EXTRA_OF)
def test_a_missing_library_is_named_with_the_extra_that_brings_it(library: str) -> None:
    with pytest.raises(Refused) as caught, brought():
        raise ModuleNotFoundError(f"No module named '{library}.inner'", name=f"{library}.inner")
    assert caught.value.code == "unsupported"
    assert f"holdfast[{EXTRA_OF[library]}]" in caught.value.hint


def test_any_other_missing_module_is_a_bug_and_stays_one() -> None:
    with pytest.raises(ModuleNotFoundError), brought():
        raise ModuleNotFoundError("No module named 'holdfast.typo'", name="holdfast.typo")
    assert absent(ImportError("cannot import name")) is None
