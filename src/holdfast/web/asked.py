"""What is sent over HTTP, as types: requests are read into them, and they describe the API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from holdfast.web.documents import Ending, Json

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Limit = Annotated[int, Meta(ge=1, le=1000)]
Cursor = Annotated[int, Meta(ge=0, le=2**62)]


class Asked(Struct, forbid_unknown_fields=True):
    """What somebody sends: unknown fields are errors."""


class Nothing(Asked):
    pass


class PlanText(Asked):
    """A plan: the document itself, or its text."""

    plan: Json | UnsetType = UNSET
    text: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET
    format: Literal["yaml", "json", "toml"] = "yaml"

    def __post_init__(self) -> None:
        if (self.plan is UNSET) == (self.text is UNSET):
            raise ValueError("exactly one of `plan` and `text` must be there")


class RunWanted(Asked):
    """A plan to be applied: the document, its text, or the id and digest of a plan that was previewed."""

    plan: Json | UnsetType = UNSET
    text: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET
    format: Literal["yaml", "json", "toml"] = "yaml"
    id: Name | UnsetType = UNSET
    digest: Name | UnsetType = UNSET
    parallel: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    on_failure: Literal["rollback", "stop", "continue"] | None = None
    confirm_within: Annotated[float, Meta(gt=0, le=31_536_000, description="seconds")] | None = None
    expect: Annotated[str, Meta(max_length=100, description="refuse, unless this is the digest of the plan")] | None = None
    wait: Annotated[bool, Meta(description="for locks; else the run is refused")] = True

    def __post_init__(self) -> None:
        if sum(given is not UNSET for given in (self.plan, self.text, self.id)) != 1:
            raise ValueError("exactly one of `plan`, `text` and `id` must be there")
        if (self.id is UNSET) != (self.digest is UNSET):
            raise ValueError("`id` and `digest` go together")


class About(Asked):
    """Of the whole run, or of one task of it."""

    task: Name | None = None


class Reason(About):
    why: Annotated[str, Meta(max_length=1000)] | None = None


class Again(About):
    origin: Literal["checkpoint", "scratch"] = field(default="checkpoint", name="from")


class Approved(Asked):
    step: Annotated[Name, Meta(description="the id of the step, or `gate`")]


class DigestSeen(Asked):
    digest: Annotated[str, Meta(min_length=1, max_length=100, description="of the plan, as it was looked at")]


class CheckpointWanted(Asked):
    name: Name
    plan: Name | None = None


class FireWanted(Asked):
    vars: dict[str, Any] = {}


class CheckWanted(Asked):
    dry_run: Annotated[bool, Meta(description="only say what it finds")] = False


class RunsWanted(Asked):
    limit: Limit = 100
    cursor: Annotated[str, Meta(max_length=100)] | None = None
    ending: Ending | None = None
    plan: Name | None = None


class NamedPage(Asked):
    limit: Limit = 100
    cursor: Annotated[str, Meta(max_length=100)] | None = None


class Page(Asked):
    limit: Limit = 100
    cursor: Cursor | None = None


class EventsWanted(Page):
    since: Annotated[int, Meta(ge=0, le=2**62, description="only events after this `seq`")] | UnsetType = UNSET

    @property
    def after(self) -> int:
        return max(0 if self.since is UNSET else self.since, self.cursor or 0)


class ChangesWanted(Page):
    step: Name | None = None


class HistoryWanted(Page):
    cleanups: bool = False


class Whole(Asked):
    """Of a list that is of one moment, and given whole unless less of it is wanted."""

    limit: Limit | None = None
    cursor: Cursor | None = None


class StatsWanted(Whole):
    action: Name | None = None


class OfPlan(Whole):
    plan: Name | None = None
