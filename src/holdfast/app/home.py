"""The state directory: where it is, and what lies where in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.journal.contract import EXECUTORS


@dataclass(frozen=True, slots=True)
class Home:
    """Everything Holdfast keeps lives beneath one private directory."""

    path: str

    @classmethod
    def default(cls, environment: Mapping[str, str]) -> Home:
        named = environment.get("HOLDFAST_STATE")
        if named:
            return cls(os.path.abspath(named))
        user = environment.get("HOME") or os.path.expanduser("~")
        named = environment.get("XDG_STATE_HOME", "")
        base = named if os.path.isabs(named) else os.path.join(user, ".local", "state")  # the standard ignores a relative one
        return cls(os.path.join(os.path.abspath(base), "holdfast"))

    @property
    def journal(self) -> str:
        return os.path.join(self.path, "journal")

    @property
    def stash(self) -> str:
        return os.path.join(self.path, "stash")

    @property
    def objects(self) -> str:
        return os.path.join(self.path, "objects")

    @property
    def owners(self) -> str:
        return os.path.join(self.path, "owners")

    @property
    def executors(self) -> str:
        """Lock files of whoever executes actions."""
        return os.path.join(self.journal, EXECUTORS)

    @property
    def work(self) -> str:
        """Private temporary files: scripts while they run."""
        return os.path.join(self.path, "work")

    @property
    def api_token(self) -> str:
        """The token of the owner, for programs of theirs."""
        return os.path.join(self.path, "api-token")

    @property
    def tokens(self) -> str:
        """The digests of all other tokens."""
        return os.path.join(self.path, "tokens.json")

    @property
    def plans(self) -> str:
        """Plans that were previewed for somebody and wait to be applied."""
        return os.path.join(self.path, "plans")

    def make(self) -> None:
        """The directory is private whatever the umask says."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        try:
            os.mkdir(self.path, 0o700)
        except FileExistsError:
            return
        os.chmod(self.path, 0o700)
