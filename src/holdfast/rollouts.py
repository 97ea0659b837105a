"""Roll-outs for programs: one configuration per tenant in, one run with one task per tenant out.

Every tenant's task writes its document to each endpoint, tells them, and waits until all of them report the version.
Everything is validated before anything is touched. The run is like any other: `holdfast show` shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, Literal, NamedTuple

from holdfast.app.engine import Holdfast, Options
from holdfast.app.looking.folding import read
from holdfast.core.change import Guarantee
from holdfast.core.errors import PlanError, Problem, Refused
from holdfast.core.plan import Plan
from holdfast.core.result import Result
from holdfast.core.run import Run
from holdfast.journal.contract import Journal, RunRow
from holdfast.planfile import parse

_TENANT: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PLAN: Final = re.compile(r"(?!.*(--|-_))[A-Za-z0-9_-]{1,64}")  # so that `--` can stand for `_` in the name of the plan
ENDPOINTS_MANY: Final = 10
RUNS_SEARCHED_MAX: Final = 10_000
Name = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkEndpoint:
    """Where a tenant is served; `value` may be the whole address, else it is the target that is asked over HTTP."""

    key: str
    value: str = ""
    source_ip: str | None = None
    source_domain: str | None = None
    target_ip: str | None = None
    target_domain: str | None = None

    @property
    def base(self) -> str:
        if self.value.startswith(("http://", "https://")):
            return self.value.rstrip("/")
        return f"http://{self.target_domain or self.target_ip}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDeployConfig:
    """What one tenant is to get. A mapping with the same names does as well."""

    tenant_id: str | None = None
    deploy_unit_id: str | int
    deploy_unit_version: str | int
    network_endpoints: Sequence[NetworkEndpoint] = ()
    deploy_unit_name: str = ""
    config_namespace: str = ""
    default_flag: str = ""
    called_number_rules: str = ""
    trunk_group: str = ""
    plan_id: str | int = ""
    plan_version: str | int = ""
    service_names: Sequence[str] = ()
    source_tenant_deploy_config: TenantDeployConfig | None = None  # the previous good one

    @classmethod
    def of(cls, said: TenantDeployConfig | Mapping[str, Any]) -> TenantDeployConfig:
        if isinstance(said, TenantDeployConfig):
            return said
        values = dict(said)
        endpoints = values.pop("network_endpoints", None) or ()
        source = values.pop("source_tenant_deploy_config", None)
        return cls(
            network_endpoints=[each if isinstance(each, NetworkEndpoint) else NetworkEndpoint(**each) for each in endpoints],
            source_tenant_deploy_config=None if source is None else cls.of(source),
            **values,
        )

    @property
    def document(self) -> dict[str, Any]:
        """What the endpoints are given."""
        left_out = ("network_endpoints", "source_tenant_deploy_config", "plan_id", "plan_version", "service_names")
        values = {name: getattr(self, name) for name in self.__slots__ if name not in left_out}
        return {**values, "service_names": list(self.service_names), "version": self.deploy_unit_version}


Configs = Iterable[TenantDeployConfig | Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong, or only unusual, with one configuration."""

    index: int
    tenant_id: str | None
    field: str
    message: str
    warning: bool = False

    def __str__(self) -> str:
        return f"configuration {self.index} ({self.tenant_id}), {self.field}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCreationResult:
    plan_id: str
    task_ids: Sequence[str]
    validated_count: int
    status: str  # the state of the run; `refused` when nothing was begun
    message: str
    failure_info: Sequence[Finding | Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOperationResult:
    target_type: Literal["PLAN", "TASK"]
    target_id: str
    success: bool
    final_status: str
    message: str
    failure_info: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStatusInfo:
    task_id: str
    status: str
    current_stage: str | None
    completed_stages: int
    total_stages: int
    progress_percent: float
    paused: bool
    cancelled: bool
    retry_count: int
    started_at: float | None
    ended_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where an endpoint takes its document, hears of it, and says which version it has."""

    config: str = "/config"
    broadcast: str = "/reload"
    health: str = "/health"


# -- validation


def validate(configs: Configs, *, fail_fast: bool = False) -> list[Finding]:
    """Everything there is to say of these configurations; with `fail_fast` no more than the first error."""
    found: list[Finding] = []
    for finding in _findings([TenantDeployConfig.of(each) for each in configs]):
        found.append(finding)
        if fail_fast and not finding.warning:
            break
    return found


def _findings(configs: Sequence[TenantDeployConfig]) -> Iterator[Finding]:
    first: dict[str | None, int] = {}
    for index, config in enumerate(configs):
        for field, message, warning in _of_one(config):
            yield Finding(index=index, tenant_id=config.tenant_id, field=field, message=message, warning=warning)
        earlier = first.setdefault(config.tenant_id, index)
        if earlier != index:
            message = f"configurations {earlier} and {index} are both of this tenant"
            yield Finding(index=index, tenant_id=config.tenant_id, field="tenant_id", message=message)


def _of_one(config: TenantDeployConfig) -> Iterator[tuple[str, str, bool]]:
    if not isinstance(config.tenant_id, str) or _TENANT.fullmatch(config.tenant_id) is None:
        yield "tenant_id", "a tenant has 1 to 64 letters, digits, `_` and `-`", False
    count = len(config.network_endpoints or ())
    if not count:
        yield "network_endpoints", "there is no endpoint", False
    elif count == 1 or count > ENDPOINTS_MANY:
        yield "network_endpoints", f"{count} is an unusual number of endpoints", True
    for endpoint in config.network_endpoints or ():
        yield from _of_endpoint(endpoint)


def _of_endpoint(endpoint: NetworkEndpoint) -> Iterator[tuple[str, str, bool]]:
    if not endpoint.key:
        yield "key", "an endpoint has a key", False
    for side in ("source", "target"):
        address, domain = getattr(endpoint, f"{side}_ip"), getattr(endpoint, f"{side}_domain")
        if not address and not domain:
            yield f"{side}_ip", f"the endpoint `{endpoint.key}` has no {side}", False
        if address and not _is_ip(address):
            yield f"{side}_ip", f"`{address}` is not an IP address", False


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


# -- the facade


class Rollouts:
    """Roll-outs of one state directory; `interval` and `attempts` are those of the health checks.

    What is controlled or queried is said as `plan="P"`, `task="P/TENANT"` or `tenant="TENANT"`, or without a word as
    `"P"` or `"P/TENANT"`. Of a tenant the newest roll-out counts.
    """

    def __init__(self, hf: Holdfast, *, paths: Paths | None = None, interval: float = 3.0, attempts: int = 10) -> None:
        if not isinstance(hf, Holdfast):
            raise TypeError(f"roll-outs are made with what `holdfast.open` gives, not with a {type(hf).__name__}")
        self._hf = hf
        self._paths = paths or Paths()
        self._health = {"interval": interval, "attempts": attempts}

    def create(self, configs: Configs, **policy: Any) -> TaskCreationResult:
        """Roll out to all of these tenants; returns when the run has an ending. `policy` is that of a plan file.

        Meanwhile it is paused, resumed and cancelled from another thread or process.
        """
        wanted = [TenantDeployConfig.of(each) for each in configs or ()]
        if not wanted:
            raise PlanError([Problem(code="empty_plan", message="there is no configuration to roll out")])
        plan_id = str(wanted[0].plan_id)
        findings = [*validate(wanted), *self._of_plan(wanted, plan_id)]
        errors = tuple(finding for finding in findings if not finding.warning)
        if errors:
            return _refused(plan_id, len({finding.index for finding in errors}), len(wanted), errors)
        result = self._hf.apply(self.plan(wanted, **policy), Options(source="api"))
        return TaskCreationResult(
            plan_id=plan_id,
            task_ids=[_task_id(plan_id, str(config.tenant_id)) for config in wanted],
            validated_count=len(wanted),
            status=result.ending or result.state,
            message=f"the run {result.run} is {result.ending or result.state}",
            failure_info=tuple(result.errors),
        )

    def plan(self, configs: Sequence[TenantDeployConfig], **policy: Any) -> Plan:
        """The plan of a roll-out, to look at or to apply by other means."""
        return parse(
            {
                "holdfast": 1,
                "name": _plan_name(str(configs[0].plan_id)),
                "policy": {"scope": "task", **policy},
                "tasks": [self._task(config) for config in configs],
            }
        )

    def _of_plan(self, configs: Sequence[TenantDeployConfig], plan_id: str) -> Iterator[Finding]:
        for index, config in enumerate(configs):
            if str(config.plan_id) != plan_id or _PLAN.fullmatch(plan_id) is None:
                message = "all configurations name the same plan, with letters, digits, `_` and `-`"
                yield Finding(index=index, tenant_id=config.tenant_id, field="plan_id", message=message)
        if self._hf.journal.runs(limit=1, plan=_plan_name(plan_id)):
            yield Finding(index=0, tenant_id=None, field="plan_id", message=f"the plan `{plan_id}` was rolled out already")

    def _task(self, config: TenantDeployConfig) -> dict[str, Any]:
        bases = list(dict.fromkeys(endpoint.base for endpoint in config.network_endpoints))
        source = config.source_tenant_deploy_config
        previous = {} if source is None else {"previous": source.document}
        ids = [f"{config.tenant_id}/config/{number}" for number in range(1, len(bases) + 1)]
        writes = [
            {"id": id_, "config": base + self._paths.config, "values": config.document, "version": config.deploy_unit_version}
            for id_, base in zip(ids, bases, strict=True)
        ]
        check = {"health": [base + self._paths.health for base in bases], "version_of": ids[0], **self._health}
        stages = {
            "config": [{**write, **previous} for write in writes],
            "broadcast": [{"broadcast": [base + self._paths.broadcast for base in bases]}],
            "health": [check],
        }
        return {
            "name": f"deploy@{config.tenant_id}",
            "tenant": config.tenant_id,
            "locks": [f"tenant:{config.tenant_id}"],
            "stages": [{"name": name, "steps": steps} for name, steps in stages.items()],
        }

    # -- control

    def pause(self, name: Name | None = None, /, **of: Name) -> TaskOperationResult:
        return self._control("pause", _said(name, of))

    def resume(self, name: Name | None = None, /, **of: Name) -> TaskOperationResult:
        return self._control("resume", _said(name, of))

    def cancel(self, name: Name | None = None, /, **of: Name) -> TaskOperationResult:
        return self._control("cancel", _said(name, of))

    def rollback(self, name: Name | None = None, /, **of: Name) -> TaskOperationResult:
        """Put the previous good configurations back, and have their health confirmed."""
        return self._control("rollback", _said(name, of))

    def retry(self, name: Name | None = None, /, *, from_checkpoint: bool = True, **of: Name) -> TaskOperationResult:
        """Try what failed again: from the stage it came to, or from scratch."""
        return self._control("retry", _said(name, of), **{"from": "checkpoint" if from_checkpoint else "scratch"})

    def query(self, name: Name | None = None, /, **of: Name) -> Sequence[TaskStatusInfo]:
        """How far every task has come."""
        row, tenant = self._find(_said(name, of))
        run = read(self._hf.journal, row)
        times = _times(self._hf.journal, row)
        found = enumerate(run.outline.tasks)
        return [_status(run, number, row, times) for number, task in found if tenant in (None, task.key)]

    def has_checkpoint(self, name: Name | None = None, /, **of: Name) -> bool:
        """Has a task come to rest behind a finished stage, so that it could go on from there?"""
        resting = ("paused", "pausing", "failed")
        return any(task.status in resting and 0 < task.completed_stages < task.total_stages for task in self.query(name, **of))

    def _control(self, verb: str, of: Mapping[str, Name], **data: Any) -> TaskOperationResult:
        row, tenant = self._find(of)
        if tenant is not None:
            data["task"] = tenant
        try:
            if verb == "rollback":
                self._check_previous(row, tenant)
            result = self._hf.control(row.id, verb, **data)
        except Refused as refusal:
            return self._operated(row, tenant, verb, None, refusal)
        return self._operated(row, tenant, verb, result, None)

    def _check_previous(self, row: RunRow, tenant: str | None) -> None:
        """Nobody pretends to go back where there is nothing to go back to."""
        run = read(self._hf.journal, row)
        for step in run.executed:
            key = run.outline.tasks[run.graph.task_of[step]].key
            if tenant in (None, key) and run.kinds[step] == "config" and run.guarantees.get(step) is Guarantee.IRREVERSIBLE:
                raise Refused(f"the tenant `{key}` had no configuration before", code="no_previous")

    def _operated(
        self, row: RunRow, tenant: str | None, verb: str, result: Result | None, refusal: Refused | None
    ) -> TaskOperationResult:
        run = read(self._hf.journal, row)
        states = {task.key: run.tasks[number].state for number, task in enumerate(run.outline.tasks)}
        status = run.state if tenant is None else states[tenant]
        plan_id = _plan_id(row)
        return TaskOperationResult(
            target_type="PLAN" if tenant is None else "TASK",
            target_id=plan_id if tenant is None else _task_id(plan_id, tenant),
            success=result is not None and status not in _MISSED[verb],
            final_status=status,
            message=refusal.message if refusal is not None else f"it is {status}",
            failure_info=refusal.plain() if refusal is not None else next(iter(result.errors if result else ()), None),
        )

    def _find(self, of: Mapping[str, Name]) -> tuple[RunRow, str | None]:
        """The run, and the tenant where it is about one; `plan`, `task` and `tenant` are the ways to say it.

        They may be called as in the results, too: `plan_id`, `task_id`, `tenant_id`.
        """
        (way, name), *more = ((said.removesuffix("_id"), str(id_)) for said, id_ in (of or {"": ""}).items())
        if more or way not in ("plan", "task", "tenant"):
            raise TypeError("say one of `plan`, `task` and `tenant`")
        plan_id, _, tenant = name.rpartition("/") if way == "task" else (name, "", "") if way == "plan" else ("", "", name)
        wanted = None if way == "tenant" else _plan_name(plan_id)
        for row in self._hf.journal.runs(limit=RUNS_SEARCHED_MAX, plan=wanted):
            outline = self._hf.journal.outline(row.id)
            if outline is None or not row.plan.startswith(_PREFIX):
                continue
            if not tenant or any(task.key == tenant for task in outline.tasks):
                return row, tenant or None
        raise Refused(f"there is no roll-out of the {way} `{name}`", code="not_found")


_BROKEN: Final = frozenset({"failed", "rollback_failed", "stuck"})
_NOT_IN: Final = _BROKEN | {"partial", "rolled_back", "cancelled"}
_MISSED: Final = {  # where what was asked for did not come about
    "pause": _BROKEN,
    "cancel": _BROKEN,
    "rollback": _BROKEN,
    "resume": _NOT_IN,
    "retry": _NOT_IN,
}


def _said(name: Name | None, of: Mapping[str, Name]) -> Mapping[str, Name]:
    """A name without a word is that of a task where it holds a `/`, which no plan has; else that of a plan."""
    return of if name is None else {"task" if "/" in str(name) else "plan": name, **of}


_PREFIX: Final = "rollout-"


def _plan_name(plan_id: str) -> str:
    return f"{_PREFIX}{plan_id}".lower().replace("_", "--")


def _plan_id(row: RunRow) -> str:
    return row.plan.removeprefix(_PREFIX).replace("--", "_")


def _task_id(plan_id: str, tenant: str) -> str:
    return f"{plan_id}/{tenant}"


def _refused(plan_id: str, wrong: int, count: int, errors: Sequence[Finding]) -> TaskCreationResult:
    message = f"{wrong} of {count} configurations are not valid; nothing was touched"
    return TaskCreationResult(
        plan_id=plan_id, task_ids=(), validated_count=count - wrong, status="refused", message=message, failure_info=errors
    )


class _Times(NamedTuple):
    started_at: float | None = None
    ended_at: float | None = None


_BEGIN: Final = frozenset({"task.started", "task.retry_started"})
_END: Final = frozenset({"task.completed", "task.failed", "task.cancelled", "task.rolled_back", "task.rollback_failed"})


def _times(journal: Journal, row: RunRow) -> dict[int, _Times]:
    """When each task began and came to its end; one that is worked on again has no end yet."""
    found: dict[int, _Times] = {}
    for record in journal.records(row.id):
        for event in record.events:
            if event.task is None or event.stage is not None or event.steps is not None:
                continue
            known = found.get(event.task, _Times())
            if event.type in _BEGIN:
                found[event.task] = _Times(record.at if known.started_at is None else known.started_at)
            elif event.type in _END:
                found[event.task] = known._replace(ended_at=record.at)
            elif event.type == "task.rolling_back":
                found[event.task] = known._replace(ended_at=None)
    return found


def _status(run: Run, number: int, row: RunRow, times: Mapping[int, _Times]) -> TaskStatusInfo:
    task, outline = run.tasks[number], run.outline.tasks[number]
    done = sum(state in ("committed", "skipped") for state in task.stages)
    return TaskStatusInfo(
        task_id=_task_id(_plan_id(row), outline.key or outline.name),
        status=task.state,
        current_stage=outline.stages[task.stage].name if task.stage >= 0 else None,
        completed_stages=done,
        total_stages=len(task.stages),
        progress_percent=round(100 * done / max(len(task.stages), 1), 1),
        paused=task.state == "paused",
        cancelled=task.state == "cancelled",
        retry_count=task.retries,
        started_at=times.get(number, _Times()).started_at,
        ended_at=times.get(number, _Times()).ended_at,
    )
