"""The table of everything that answers: which resource, at which version, by which behaviour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.testing.opnsense.api import Routes, address
from holdfast.testing.opnsense.collection import Collection
from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.tables import firewall

COLLECTIONS: Final = (
    (firewall.RULE, Collection),
    (firewall.ALIASES, Collection),
    (firewall.CATEGORY_ITEMS, Collection),
    (firewall.GROUPS, Collection),
)


def collections(profile: Profile, new_uuid: Callable[[], str]) -> list[Collection]:
    return [make(resource, new_uuid) for resource, make in COLLECTIONS if profile.has(resource.since, "")]


def routes(profile: Profile, new_uuid: Callable[[], str]) -> Routes:
    return {
        address(collection.resource.at, action): handler
        for collection in collections(profile, new_uuid)
        for action, handler in collection.actions(profile).items()
    }
