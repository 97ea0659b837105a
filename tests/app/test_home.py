"""Where the state is kept, unless somebody says where."""

from __future__ import annotations

import pytest

from holdfast.app.home import Home

HOME = {"HOME": "/home/alice"}


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        (HOME, "/home/alice/.local/state/holdfast"),
        ({**HOME, "XDG_STATE_HOME": "/var/state"}, "/var/state/holdfast"),
        ({**HOME, "XDG_STATE_HOME": "here"}, "/home/alice/.local/state/holdfast"),
        ({**HOME, "XDG_STATE_HOME": "/var/state", "HOLDFAST_STATE": "/srv/kept"}, "/srv/kept"),
        ({**HOME, "HOLDFAST_STATE": ""}, "/home/alice/.local/state/holdfast"),
    ],
)
def test_a_place_that_depends_on_where_one_stands_is_no_place_for_the_state(environment: dict[str, str], path: str) -> None:
    assert Home.default(environment).path == path
