"""The table of tools: what an agent can ask for, what it must say, what it is answered, and what that may do to the world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from holdfast.mcp import schemas
from holdfast.mcp.agent import Agent
from holdfast.mcp.schemas import Arguments, Schema
from holdfast.mcp.types_of import resource_types

Do = Callable[..., Any]


class Tool(NamedTuple):
    title: str
    description: str
    arguments: type[Arguments]
    answer: Schema
    do: Do  # gets the agent and the arguments by their names
    plans: bool = False  # it takes whatever somebody wrote
    changes: bool = False
    destructive: bool = False
    idempotent: bool = False
    follows: bool = False  # it answers with the id of a run, whose document is given
    rests: bool = False  # and a run that is paused is not waited for
    open_world: bool = False  # it talks to hosts and services
    ours: bool = False  # nothing of what it answers was said by anybody else


TOOLS: Final[Mapping[str, Tool]] = {
    "plan_deployment": Tool(
        "Plan a deployment",
        "Show what a plan would change, without touching anything: every change with its diff and its guarantee, what cannot"
        " be undone, and every problem. The plan is kept; its `id` and `digest` are what apply_deployment takes.",
        schemas.PlanDeployment,
        schemas.PREVIEW,
        Agent.plan_deployment,
        plans=True,
        idempotent=True,
        open_world=True,
    ),
    "apply_deployment": Tool(
        "Apply a deployment",
        "Apply a plan that plan_deployment made, exactly as it was shown: all of it or none of it. Refused as stale when the"
        " world changed since then. With `needs_approval`, a person must approve the digest first. A run that takes longer"
        " than `wait_s` is answered with `ending: null`; ask get_run for it.",
        schemas.ApplyDeployment,
        schemas.RUN,
        Agent.apply_deployment,
        changes=True,
        destructive=True,
        follows=True,
        rests=True,
        open_world=True,
    ),
    "get_run": Tool(
        "Show a run",
        "Show a run with its ending, errors, residue and every step. `ending` is null while it has not ended; with `wait_s`"
        " the answer comes when it has, or after so many seconds.",
        schemas.GetRun,
        schemas.RUN,
        lambda agent, run: agent.find_run(run),
        idempotent=True,
        follows=True,
        rests=True,
    ),
    "list_runs": Tool(
        "List runs", "List runs, the newest first.", schemas.ListRuns, schemas.RUNS, Agent.list_runs, idempotent=True
    ),
    "run_events": Tool(
        "List the events of a run",
        "List what happened in a run, in order. `more` says that there are more: ask again with `since`.",
        schemas.RunEvents,
        schemas.EVENTS,
        Agent.run_events,
        idempotent=True,
    ),
    "rollback_run": Tool(
        "Roll back a run",
        "Undo everything a run changed, in reverse order. What somebody changed since then is left alone and reported as"
        " residue. For runs of this agent this needs no approval.",
        schemas.OneRun,
        schemas.RUN,
        Agent.rollback_run,
        changes=True,
        destructive=True,
        idempotent=True,
        follows=True,
        open_world=True,
    ),
    "pause_run": Tool(
        "Pause a run",
        "Ask a run to rest where its open stages end. It keeps its locks.",
        schemas.OneRun,
        schemas.RUN,
        Agent.pause_run,
        changes=True,
        follows=True,
        rests=True,
    ),
    "resume_run": Tool(
        "Resume a run",
        "Let a paused run go on.",
        schemas.OneRun,
        schemas.RUN,
        Agent.resume_run,
        changes=True,
        destructive=True,
        follows=True,
        open_world=True,
    ),
    "cancel_run": Tool(
        "Cancel a run",
        "Ask a run to stop: it finishes what is under way, and rolls back.",
        schemas.OneRun,
        schemas.RUN,
        Agent.cancel_run,
        changes=True,
        destructive=True,
        follows=True,
        open_world=True,
    ),
    "create_checkpoint": Tool(
        "Create a checkpoint",
        "Record the present states of everything managed, or of one plan, under a name, to go back to them.",
        schemas.CreateCheckpoint,
        schemas.CHECKPOINT,
        Agent.create_checkpoint,
        changes=True,
        open_world=True,
    ),
    "list_checkpoints": Tool(
        "List checkpoints",
        "List checkpoints, the newest first, with the resources they hold.",
        schemas.ListCheckpoints,
        schemas.CHECKPOINTS,
        Agent.list_checkpoints,
        idempotent=True,
    ),
    "restore_checkpoint": Tool(
        "Restore a checkpoint",
        "Bring everything a checkpoint holds back to its recorded state, by a run that can be rolled back like any other.",
        schemas.RestoreCheckpoint,
        schemas.RUN,
        Agent.restore_checkpoint,
        changes=True,
        destructive=True,
        idempotent=True,
        follows=True,
        open_world=True,
    ),
    "list_resource_types": Tool(
        "List resource types",
        "List what a step of a plan can do, and what types of targets there are. With `kind`: the JSON Schema of that one.",
        schemas.ListResourceTypes,
        schemas.KINDS,
        lambda agent, kind: resource_types(kind),
        idempotent=True,
        ours=True,
    ),
    "execution_stats": Tool(
        "Show execution statistics",
        "Count successes, failures and durations of every action and plan, and the endings of all runs.",
        schemas.ExecutionStats,
        schemas.STATS,
        Agent.execution_stats,
        idempotent=True,
    ),
    "drift": Tool(
        "Show drift",
        "Compare what the newest runs left with what is there now, of everything managed or of one plan. Changes nothing.",
        schemas.Drift,
        schemas.DRIFT,
        Agent.drift,
        idempotent=True,
        open_world=True,
    ),
}


def offered(agent: Agent) -> dict[str, Tool]:
    """What this agent may ask for."""
    return {name: tool for name, tool in TOOLS.items() if agent.may(changes=tool.changes, plans=tool.plans)}
