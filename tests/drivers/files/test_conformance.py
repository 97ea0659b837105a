"""The local and the memory driver keep every law of the contract."""

from __future__ import annotations

from pathlib import Path

from holdfast.drivers.files.local import Local
from holdfast.drivers.files.memory import Memory
from holdfast.kinds.node import Node
from holdfast.testing import zoo
from holdfast.testing.boundaries import WithoutExchange
from holdfast.testing.conformance import FilesSuite, Subject


class TestLocal(FilesSuite):
    def subject(self, tmp_path: Path) -> Subject:
        (tmp_path / "root").mkdir()
        return Subject(Local(tmp_path / "stash"), str(tmp_path / "root"), lambda: zoo.manifest(tmp_path / "root"))


class TestLocalBeneathARoot(FilesSuite):
    def subject(self, tmp_path: Path) -> Subject:
        (tmp_path / "root").mkdir()
        driver = Local(tmp_path / "stash", [str(tmp_path / "root")])
        return Subject(driver, str(tmp_path / "root"), lambda: zoo.manifest(tmp_path / "root"))


class TestLocalWhereNamesCannotBeExchanged(FilesSuite):
    def subject(self, tmp_path: Path) -> Subject:
        (tmp_path / "root").mkdir()
        driver = Local(tmp_path / "stash", calls=WithoutExchange())
        return Subject(driver, str(tmp_path / "root"), lambda: zoo.manifest(tmp_path / "root"))


class TestMemory(FilesSuite):
    def subject(self, tmp_path: Path) -> Subject:
        driver = Memory.from_nodes({"/root": Node("dir", 0o755)})
        return Subject(driver, "/root", driver.manifest)
