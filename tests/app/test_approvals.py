"""A person's yes to the digest of a plan: durable, for one application, for a day."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import holdfast
from holdfast import Holdfast, Refused
from holdfast.app.plans import approvals
from holdfast.app.plans.approvals import AGE_MAX_S, Approval

DIGEST = "sha256:" + "a" * 64
NOW = 1_800_000_000.0


def test_an_approval_says_who_and_when_and_the_journal_remembers(hf: Holdfast, state: str) -> None:
    approvals.approve(hf.journal, DIGEST, by="manual:alice", at=NOW)
    hf.close()
    with holdfast.open(state) as again:
        found = approvals.find(again.journal, DIGEST, at=NOW + 1)
        (event,) = again.event_documents()
    assert found == Approval(digest=DIGEST, by="manual:alice", at=NOW)
    assert (event["type"], event["data"]) == ("plan.approved", {"digest": DIGEST, "by": "manual:alice"})


def test_an_approval_is_used_once(hf: Holdfast) -> None:
    approvals.approve(hf.journal, DIGEST, by="manual:alice", at=NOW)
    assert approvals.use(hf.journal, DIGEST, at=NOW).by == "manual:alice"
    with pytest.raises(Refused) as refused:
        approvals.use(hf.journal, DIGEST, at=NOW)
    assert refused.value.code == "missing_confirmation"
    assert f"holdfast approve {DIGEST}" in refused.value.hint


def test_of_two_who_use_it_at_once_one_gets_it(state: str) -> None:
    with holdfast.open(state) as hf:
        approvals.approve(hf.journal, DIGEST, by="manual:alice", at=NOW)

    def attempt(_: int) -> bool:
        with holdfast.open(state) as hf:
            try:
                approvals.use(hf.journal, DIGEST, at=NOW)
            except Refused:
                return False
            return True

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(attempt, range(4))) == [False, False, False, True]


def test_an_approval_is_of_one_digest(hf: Holdfast) -> None:
    approvals.approve(hf.journal, DIGEST, by="manual:alice", at=NOW)
    with pytest.raises(Refused):
        approvals.use(hf.journal, "sha256:" + "b" * 64, at=NOW)


@pytest.mark.parametrize("later", [AGE_MAX_S + 1, -1.0])
def test_an_old_approval_is_none(hf: Holdfast, later: float) -> None:
    approvals.approve(hf.journal, DIGEST, by="manual:alice", at=NOW)
    with pytest.raises(Refused):
        approvals.use(hf.journal, DIGEST, at=NOW + later)


def test_old_approvals_do_not_pile_up(hf: Holdfast) -> None:
    for day in range(3):
        approvals.approve(hf.journal, f"sha256:{day}", by="manual:alice", at=NOW + day * (AGE_MAX_S + 1))
    assert list(hf.journal.names(approvals.SHELF)) == ["sha256:2"]
