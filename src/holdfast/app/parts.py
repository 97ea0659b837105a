"""What an engine is made of: everything that could differ between two installations, injected."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from holdfast.app.home import Home
from holdfast.app.wiring import Wiring
from holdfast.core.events import Event
from holdfast.core.run import Run
from holdfast.journal.contract import Journal
from holdfast.runtime.clock import Clock, SystemClock
from holdfast.runtime.ids import Ulids
from holdfast.runtime.owner import Owner

if TYPE_CHECKING:
    from holdfast.runtime.logs import LogLines

Watch = Callable[[Run, Sequence[Event]], None]

RUNS_HELD_MAX = 50  # of so many of the newest runs the before-images are kept, so that they can be rolled back by hand


@dataclass(slots=True)
class Parts:
    home: Home
    journal: Journal
    wiring: Wiring
    clock: Clock = field(default_factory=SystemClock)
    ids: Ulids = field(default_factory=Ulids)
    watchers: list[Watch] = field(default_factory=list)
    lines: LogLines | None = None  # hears of what belongs to no run; as a watcher of everything else
    runs_held_max: int = RUNS_HELD_MAX
    _owner: Owner | None = None

    @property
    def owner(self) -> Owner:
        """This process, once it begins to own runs."""
        if self._owner is None:
            self._owner = Owner(self.home.owners, self.ids.make(self.clock.now()))
        return self._owner

    def watch(self, run: Run, events: Sequence[Event]) -> None:
        """Tell everybody who watches; one who fails disturbs neither the run nor the others."""
        for watcher in self.watchers:
            try:
                watcher(run, events)
            except Exception:  # whatever an observer does wrong is told, and must not end a change half-way
                logging.getLogger("holdfast").exception("watcher_failed")

    def record(self, event: Event, *, at: float) -> None:
        """Journal something that belongs to no run."""
        self.journal.append(None, [event], at=at)
        if self.lines is not None:
            self.lines.say(event)

    def close(self) -> None:
        if self._owner is not None:
            self._owner.close()
            self._owner = None
        self.journal.close()


def who(environment: Mapping[str, str] = os.environ) -> str:
    """The source of a run that a person starts."""
    name = environment.get("SUDO_USER") or environment.get("USER") or environment.get("LOGNAME")
    return f"manual:{name or _account(os.getuid())}"


def _account(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a number without a name, as in many containers
        return str(uid)
