"""Plans that were previewed for somebody and wait to be applied, by id and digest: for faces that show first and apply later.

Each is a private file beneath the state directory, exactly what `plan --out` saves, and the preview with it. They are
few and do not grow old; losing one costs a new preview. Who may apply one, and how, is not decided here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from holdfast.app.plans.preview import Preview, SavedPlan, encode_saved, read_saved
from holdfast.core.errors import Refused, StorageFailed
from holdfast.core.times import iso
from holdfast.runtime.clock import Clock
from holdfast.runtime.ids import Ulids, moment_of

if TYPE_CHECKING:
    from holdfast.app.parts import Parts

PLANS_MAX: Final = 200
AGE_MAX_S: Final = 7 * 86_400.0
SUFFIX: Final = ".json"
_ID: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_DIGEST: Final = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPlan:
    id: str
    by: str  # who had it previewed
    digest: str
    preview: Mapping[str, Any]  # as it was shown
    saved: bytes

    @property
    def exact(self) -> SavedPlan:
        """To be applied exactly, or refused as stale; raises PlanError when it is no plan that can be saved: a restore."""
        found = read_saved(self.saved)
        if found is None:
            raise _unknown(self.id)
        return found

    def plain(self) -> dict[str, Any]:
        return {"id": self.id, "by": self.by, "made_at": iso(moment_of(self.id)), **self.preview}


class KeptPlans:
    def __init__(
        self, path: str, clock: Clock, ids: Ulids, *, plans_max: int = PLANS_MAX, age_max_s: float = AGE_MAX_S
    ) -> None:
        self.path = path
        self.plans_max = plans_max
        self.age_max_s = age_max_s
        self._clock = clock
        self._ids = ids

    @classmethod
    def of(cls, parts: Parts) -> KeptPlans:
        return cls(parts.home.plans, parts.clock, parts.ids)

    def keep(self, preview: Preview, *, by: str) -> KeptPlan:
        """Durable when this returns; raises StorageFailed."""
        shown = preview.plain()
        saved = encode_saved({**preview.saved_document(), "by": by, "preview": shown})
        kept = KeptPlan(id=self._ids.make(self._clock.now()), by=by, digest=preview.digest, preview=shown, saved=saved)
        try:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            _write(self._file_of(kept.id), saved)
            _sync(self.path)
            self._forget()
        except OSError as error:
            raise StorageFailed(f"{self.path}: {error.strerror}") from error
        return kept

    def find(self, plan: str) -> KeptPlan:
        if _ID.fullmatch(plan) is None or self._is_old(plan):
            raise _unknown(plan)
        try:
            with open(self._file_of(plan), "rb") as file:
                text = file.read()
        except FileNotFoundError:
            raise _unknown(plan) from None
        document = json.loads(text)
        return KeptPlan(id=plan, by=document["by"], digest=document["digest"], preview=document["preview"], saved=text)

    def reviewed(self, plan: str, digest: str) -> KeptPlan:
        """The plan, for whoever can say which digest was reviewed."""
        kept = self.find(plan)
        if digest != kept.digest:
            message = f"the plan {plan} has the digest {kept.digest}, not the {digest[:80]!r} that was reviewed"
            raise Refused(message, code="stale_plan", hint="preview it again, and apply what that answers")
        return kept

    def by_digest(self, name: str) -> KeptPlan:
        """The newest plan with this digest, or with the only one that begins so."""
        found = _DIGEST.fullmatch(name)
        kept = [self.find(plan) for plan in self.ids()] if found else []
        matching = [plan for plan in kept if found and plan.digest.removeprefix("sha256:").startswith(found[1])]
        if len({plan.digest for plan in matching}) > 1:
            raise Refused(
                f"more than one plan has a digest that begins with `{name}`", code="not_found", hint="write more of it"
            )
        if not matching:
            hint = "only plans that were previewed over the API or MCP are kept, and not for long"
            raise Refused(f"no plan with the digest `{name}` is kept", code="not_found", hint=hint)
        return matching[0]

    def ids(self) -> list[str]:
        """The newest first."""
        with suppress(FileNotFoundError):
            names = (name.removesuffix(SUFFIX) for name in os.listdir(self.path) if name.endswith(SUFFIX))
            return sorted((name for name in names if _ID.fullmatch(name) and not self._is_old(name)), reverse=True)
        return []

    def _is_old(self, plan: str) -> bool:
        return self._clock.now() - moment_of(plan) > self.age_max_s

    def _forget(self) -> None:
        """Whatever is too old or too many goes; so does what a dead process had not finished."""
        kept = {plan + SUFFIX for plan in self.ids()[: self.plans_max]}
        for name in os.listdir(self.path):
            if name not in kept and not self._is_under_way(name):
                with suppress(FileNotFoundError):  # another process was faster
                    os.unlink(os.path.join(self.path, name))

    def _is_under_way(self, name: str) -> bool:
        plan = name.partition(".")[0]
        return name.endswith(".new") and _ID.fullmatch(plan) is not None and not self._is_old(plan)

    def _file_of(self, plan: str) -> str:
        return os.path.join(self.path, plan + SUFFIX)


def _unknown(plan: str) -> Refused:
    hint = "plans are kept for some days only: preview it again"
    return Refused(f"no plan `{plan[:80]}` is kept", code="not_found", hint=hint)


def _write(path: str, content: bytes) -> None:
    """Private and complete, or not there."""
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)


def _sync(directory: str) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
