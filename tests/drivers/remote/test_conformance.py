"""The driver of files over SSH keeps every law of the contract, as a user and through sudo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast.testing import zoo
from holdfast.testing.conformance import FilesSuite, Subject


class TestRemote(FilesSuite):
    @pytest.fixture(autouse=True)
    def _driver(self, files: Any) -> None:
        self.files = files

    def subject(self, tmp_path: Path) -> Subject:
        (tmp_path / "root").mkdir()
        root = tmp_path / "root"
        return Subject(self.files.driver, str(root), lambda: zoo.manifest(root), self.files.loop)
