"""What every journal must do, as one suite. Subclass `JournalSuite` in a test module and give it two fixtures:
`journal`, a new and empty one, and `again`, which closes a journal and opens the same one anew (or returns it, where
there is nothing to close). The fixtures make rings of `RING` executions.
"""

from __future__ import annotations

from holdfast.testing.journal_suite.builders import RING
from holdfast.testing.journal_suite.care import Care
from holdfast.testing.journal_suite.records import Numbers, Reading
from holdfast.testing.journal_suite.runs import Beside, Locks, Runs
from holdfast.testing.journal_suite.tracking import Tracking

__all__ = ["RING", "JournalSuite"]


class JournalSuite(Numbers, Reading, Runs, Locks, Beside, Tracking, Care):
    """All of it."""
