"""A person's yes to a plan, by its digest, before a program may apply it: who said so and when, for one application.

The fact is in the journal for good; what is still unused lies on a shelf of it. Which plans need a yes is said by the
face that a program comes through.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import msgspec

from holdfast.core.errors import Refused
from holdfast.core.events import Event
from holdfast.core.times import iso
from holdfast.journal.contract import Journal

SHELF: Final = "approvals"
AGE_MAX_S: Final = 86_400.0  # whoever said yes yesterday looked at the world of yesterday


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    digest: str
    by: str
    at: float

    def plain(self) -> dict[str, str | None]:
        return {"digest": self.digest, "by": self.by, "at": iso(self.at)}


def approve(journal: Journal, digest: str, *, by: str, at: float) -> Approval:
    approval = Approval(digest=digest, by=by, at=at)
    journal.append(None, [Event("plan.approved", {"digest": digest, "by": by})], at=at)
    journal.put(SHELF, digest, msgspec.json.encode(asdict(approval)))
    for old in journal.names(SHELF):
        if find(journal, old, at=at) is None:
            journal.drop(SHELF, old)
    return approval


def find(journal: Journal, digest: str, *, at: float) -> Approval | None:
    """The yes to this digest that is neither used nor too old."""
    document = journal.get(SHELF, digest)
    if document is None:
        return None
    found = msgspec.json.decode(document, type=Approval)
    return found if 0 <= at - found.at <= AGE_MAX_S else None


def use(journal: Journal, digest: str, *, at: float) -> Approval:
    """Take the yes, for one application: of two who try at once, one gets it."""
    found = find(journal, digest, at=at)
    if found is None or not journal.drop(SHELF, digest):
        raise Refused(
            "a person must approve this plan first", code="missing_confirmation", hint=f"ask for: holdfast approve {digest}"
        )
    return found
