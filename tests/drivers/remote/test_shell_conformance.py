"""The laws of a driver of files, held on hosts that have no Python, through a real sshd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast.testing import zoo
from holdfast.testing.conformance import FilesSuite, Subject


@pytest.mark.parametrize("flavour", ["coreutils", "busybox"])
class TestFilesOfAHostWithoutPython(FilesSuite):
    @pytest.fixture(autouse=True)
    def _driver(self, files: Any) -> None:
        self.files = files

    def subject(self, tmp_path: Path) -> Subject:
        root = tmp_path / "site"
        root.mkdir()
        return Subject(self.files.driver, str(root), lambda: zoo.manifest(root), self.files.loop)
