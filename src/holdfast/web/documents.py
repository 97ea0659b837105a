"""What is answered over HTTP, as types: the documents that every face gives. These types only say so, to describe the API.

A field may have more in it than is said here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Json = dict[str, Any]
Time = Annotated[str, Meta(description="ISO 8601 in UTC with milliseconds")]
Ending = Literal["committed", "unchanged", "refused", "rolled_back", "partial", "stuck"]


class Answer(Struct):
    """What is answered."""


class ErrorBody(Answer):
    code: str
    message: str
    hint: str
    problems: list[Problem] | UnsetType = UNSET


class Error(Answer):
    error: ErrorBody


class Problem(Answer):
    code: str
    message: str
    hint: str
    step: str | None = None
    where: str | None = None


class PlanName(Answer):
    name: str
    digest: str


class Heading(Answer):
    """What the list of runs and the document of a run have in common."""

    run: str
    plan: PlanName
    ending: Ending | None
    state: str
    source: str
    started_at: Time | None
    duration_s: float | None


class RunRow(Heading):
    """One line of the list of runs."""

    steps: int
    error: str | None
    questions: list[str]


class Runs(Answer):
    runs: list[RunRow]
    next_cursor: str | None


class Step(Answer):
    id: str
    kind: str
    state: str
    guarantee: str
    attempts: int
    duration_s: float
    output: str | UnsetType = UNSET


class Stage(Answer):
    name: str
    state: str
    steps: list[Step]
    level: int


class Task(Answer):
    name: str
    target: str
    state: str
    stages: list[Stage]
    tenant: str | None
    needs: list[str]
    commands: list[str]


class Failure(Answer):
    code: str
    message: str
    hint: str
    retryable: bool
    step: str | None = None


class Residue(Answer):
    step: str | None
    resource: str
    reason: str
    what_to_do: str
    kept: Any


class Run(Heading):
    """Everything about one run."""

    executed: list[str]
    unchanged: list[str]
    failed: list[str]
    rolled_back: list[str]
    skipped: list[str]
    residue: list[Residue]
    errors: list[Failure]
    tasks: list[Task]
    progress: Progress
    confirm_until: Time | None
    questions: list[str]
    commands: list[str]
    waits: Waiter | UnsetType = UNSET


class Progress(Answer):
    """How many steps have come to rest."""

    done: int
    total: int


class Attempt(Answer):
    """One attempt of one step, or its undoing."""

    step: str
    task: str
    stage: str
    state: str
    started_at: Time
    ended_at: Time | None


class Timeline(Answer):
    timeline: list[Attempt]
    next_cursor: str | None


class Event(Answer):
    seq: int
    at: Time
    type: str
    run: str | None
    data: Json
    plan_seq: int | UnsetType = UNSET
    task: str | UnsetType = UNSET
    task_seq: int | UnsetType = UNSET
    stage: str | UnsetType = UNSET
    step: str | UnsetType = UNSET
    attempt: int | UnsetType = UNSET


class Events(Answer):
    events: list[Event]
    next_cursor: str | None


class Change(Answer):
    step: str
    resource: str
    action: Literal["create", "update", "delete", "move", "run", "none"]
    before: Any
    after: Any
    diff: str
    guarantee: str


class Approval(Answer):
    """A person's yes to a plan of an agent: for one application, within a day."""

    digest: str
    by: str
    at: Time


class Preview(Answer):
    """What a plan would do. It is kept for a while, to be applied by its id and digest."""

    id: str
    plan: str
    digest: str
    changes: list[Change]
    problems: list[Problem]
    irreversible: list[str]
    by: str
    made_at: Time


class Checkpoint(Answer):
    name: str
    created_at: Time
    plan: str | None
    resources: list[str]


class Checkpoints(Answer):
    checkpoints: list[Checkpoint]
    next_cursor: str | None


class CheckpointStates(Checkpoint):
    states: Json


class Changes(Answer):
    changes: list[Change]
    next_cursor: str | None


class Deleted(Answer):
    deleted: str


class ActionStats(Answer):
    action_id: str
    total_executions: int
    successes: int
    failures: int
    interrupted: int
    avg_duration_ms: float
    p95_duration_ms: float
    last_run_at: Time | None


class RunStats(Answer):
    total: int
    by_ending: dict[str, int]


class Stats(Answer):
    actions: list[ActionStats]
    runs: RunStats
    next_cursor: str | None


class Execution(Answer):
    id: str
    action_id: str
    source: str | None
    execution_type: str | None
    success: bool | None
    started_at: Time
    completed_at: Time | None
    duration_ms: float | None
    output: Any
    error: Any
    interrupted: bool
    run: str | None


class Fired(Execution):
    """One execution of an action; without success or failure it is still under way."""

    ending: Ending | None


class Action(Answer):
    name: str
    type: str
    cooldown_s: float
    remaining_s: float
    executing: bool
    last_at: Time | None
    last_success: bool | None


class Actions(Answer):
    actions: list[Action]
    next_cursor: str | None


class Trigger(Answer):
    name: str
    type: Literal["cron", "watcher", "scanner"]
    schedule: str | None
    timezone: str | None
    interval_s: float | None
    enabled: bool
    next_at: Time | None
    last_at: Time | None
    state: str


class Triggers(Answer):
    triggers: list[Trigger]
    next_cursor: str | None


class Checked(Answer):
    matches: list[Json]
    error: Any


class CleanupDone(Answer):
    scanner_id: str | None
    resource_id: str | None
    action: str | None
    success: bool | None
    error: Any
    executed_at: Time


class History(Answer):
    executions: list[Execution]
    cleanups: list[CleanupDone]
    next_cursor: str | None


class Lock(Answer):
    id: str
    key: str
    run: str
    owner: str
    since: Time
    fence: int


class Waiter(Answer):
    """A run that waits for locks; behind nobody when it is about to go on."""

    run: str
    owner: str
    keys: list[str]
    since: Time
    behind: str | None


class Locks(Answer):
    locks: list[Lock]
    waiting: list[Waiter]
    next_cursor: str | None


class Difference(Answer):
    resource: str
    recorded: Any
    found: Any


class Drift(Answer):
    drift: list[Difference]
    next_cursor: str | None


class Tenant(Answer):
    tenant: str
    resource: str
    version: Any
    last_known_good: Any
    updated_at: Time


class Tenants(Answer):
    tenants: list[Tenant]
    next_cursor: str | None


class Host(Answer):
    """A target of plans, as the newest run found it; `circuit` is that of a run that works on it now."""

    target: str
    type: Literal["ssh", "opnsense"]
    address: str
    reachable: bool | None
    error: str | None
    run: str
    last_at: Time
    steps: int
    failed: int
    circuit: Literal["closed", "open", "half_open"] | None


class Connections(Answer):
    """The SSH connections of a run that is under way."""

    run: str
    connections: int
    sessions: int
    opened: int
    reused: int
    replaced: int
    expired: int
    failed: int


class Hosts(Answer):
    hosts: list[Host]
    pools: list[Connections]
    next_cursor: str | None


class Health(Answer):
    ok: bool


class SessionState(Answer):
    """Who this is; a browser sends `csrf` along with whatever changes something. `damage` is that of the journal."""

    name: str
    role: str
    tenants: list[str] | None
    csrf: str | None
    version: str
    damage: str | None


class Description(Answer):
    """OpenAPI 3.1."""

    openapi: str
    info: Json
    paths: Json
    components: Json
