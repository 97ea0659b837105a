"""The laws of a driver of files, held on hosts that have no Python, through a real sshd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast.drivers.contract import Ending
from holdfast.testing import zoo
from holdfast.testing.conformance import FilesSuite, Subject, cases, moves_of, seed, undoing
from tests.drivers.remote.conftest import Files


@pytest.mark.parametrize("flavour", ["coreutils", "busybox"])
class TestFilesOfAHostWithoutPython(FilesSuite):
    @pytest.fixture(autouse=True)
    def _driver(self, files: Any) -> None:
        self.files = files

    def subject(self, tmp_path: Path) -> Subject:
        root = tmp_path / "site"
        root.mkdir()
        return Subject(self.files.driver, str(root), lambda: zoo.manifest(root), self.files.loop)


@pytest.mark.parametrize("flavour", ["coreutils", "busybox"])
def test_what_lies_on_another_file_system_than_the_stash_is_undone_too(files: Files, elsewhere: Path) -> None:
    subject = Subject(files.driver, str(elsewhere), lambda: zoo.manifest(elsewhere), files.loop)
    seed(subject)
    for case in cases(subject):
        before, moves = subject.manifest(), moves_of(case.changes)
        assert {outcome.ending for outcome in subject.apply(*moves)} == {Ending.DONE}, case.name
        assert {outcome.ending for outcome in subject.apply(*undoing(moves))} == {Ending.DONE}, case.name
        assert subject.manifest() == before, case.name
