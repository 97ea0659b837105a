"""Everything that can be asked over HTTP, as one table. What is not in it does not exist.

The door, the description of the API and its reference page are made from it, and a test walks it with every sort of
caller. `role` None is open to everybody; `confined` says whether somebody may ask who is confined to some tenants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from msgspec import Struct

from holdfast.web import asked as a
from holdfast.web import documents as d
from holdfast.web import streams
from holdfast.web.handlers import checkpoints, hosts, plans, runs, tracking, triggers
from holdfast.web.serving import Call, Serving

API: Final = "/api/v1"
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
Handler = Callable[[Serving, Call], Any]


class Route(NamedTuple):
    method: str
    path: str
    role: str | None
    handler: Handler
    about: str
    answer: type[Struct] | None
    body: type[Struct] | None = None
    query: type[Struct] = a.Nothing
    status: int = 200
    others: tuple[int, ...] = ()  # what else it may answer, beyond what every route may
    confined: bool = False
    stream: streams.Open | None = None  # what answers those who accept an event stream
    media: str = "application/json"
    quick: bool = False  # it looks at nothing that could keep others waiting, so it needs no thread


ROUTES: Final = (
    Route("GET", f"{API}/runs", "viewer", runs.listed, "List runs, the newest first", d.Runs,
          query=a.RunsWanted, confined=True),
    Route("POST", f"{API}/runs", "operator", runs.begun, "Apply a plan; the run goes on by itself", d.Run,
          body=a.RunWanted, status=202, others=(404, 409), confined=True),
    Route("GET", f"{API}/runs/{{id}}", "viewer", runs.shown, "Show one run", d.Run, others=(404,), confined=True),
    Route("GET", f"{API}/runs/{{id}}/events", "viewer", runs.events, "List or follow the events of a run", d.Events,
          query=a.EventsWanted, others=(404,), confined=True, stream=streams.of_run),
    Route("GET", f"{API}/runs/{{id}}/changes", "viewer", runs.changes, "Show what a run changes", d.Changes,
          query=a.ChangesWanted, others=(404,), confined=True),
    Route("GET", f"{API}/runs/{{id}}/timeline", "viewer", runs.timeline, "Show when its steps began and ended", d.Timeline,
          query=a.Page, others=(404,), confined=True),
    Route("POST", f"{API}/runs/{{id}}/pause", "operator", runs.paused, "Let a run rest where its open stages end", d.Run,
          body=a.Reason, status=202, others=(404, 409), confined=True),
    Route("POST", f"{API}/runs/{{id}}/resume", "operator", runs.resumed, "Let a paused run go on", d.Run,
          body=a.About, status=202, others=(404, 409, 424), confined=True),
    Route("POST", f"{API}/runs/{{id}}/cancel", "operator", runs.cancelled, "Stop a run and roll it back", d.Run,
          body=a.Reason, status=202, others=(404, 409), confined=True),
    Route("POST", f"{API}/runs/{{id}}/retry", "operator", runs.retried, "Try the failed tasks of a run again", d.Run,
          body=a.Again, status=202, others=(404, 409, 424), confined=True),
    Route("POST", f"{API}/runs/{{id}}/rollback", "operator", runs.rolled_back, "Undo a run", d.Run,
          body=a.About, status=202, others=(404, 409, 424), confined=True),
    Route("POST", f"{API}/runs/{{id}}/confirm", "approver", runs.confirmed, "Keep what a run did", d.Run,
          body=a.Nothing, status=202, others=(404, 409), confined=True),
    Route("POST", f"{API}/runs/{{id}}/approve", "approver", runs.approved, "Say yes to a step or a gate", d.Run,
          body=a.Approved, status=202, others=(404, 409), confined=True),
    Route("GET", f"{API}/events", "viewer", streams.latest, "List or follow the events of everything", d.Events,
          query=a.EventsWanted, confined=True, stream=streams.of_everything),
    Route("POST", f"{API}/plans", "operator", plans.previewed, "Show what a plan would do, and keep it", d.Preview,
          body=a.PlanText, others=(424,), confined=True),
    Route("GET", f"{API}/plans/{{id}}", "viewer", plans.shown, "Show a plan that was previewed", d.Preview,
          others=(404,), confined=True),
    Route("POST", f"{API}/plans/{{id}}/approve", "approver", plans.approved, "Let an agent apply a plan, once", d.Approval,
          body=a.DigestSeen, others=(404, 409), confined=True),
    Route("GET", f"{API}/checkpoints", "viewer", checkpoints.listed, "List checkpoints, the newest first", d.Checkpoints,
          query=a.NamedPage),
    Route("POST", f"{API}/checkpoints", "operator", checkpoints.created, "Keep the states of what is managed", d.Checkpoint,
          body=a.CheckpointWanted, status=201, others=(404, 409, 424)),
    Route("GET", f"{API}/checkpoints/{{name}}", "viewer", checkpoints.shown, "Show a checkpoint", d.CheckpointStates,
          others=(404,)),
    Route("GET", f"{API}/checkpoints/{{name}}/diff", "viewer", checkpoints.compared, "Show what going back would do", d.Changes,
          query=a.Whole, others=(404, 424)),
    Route("POST", f"{API}/checkpoints/{{name}}/restore", "operator", checkpoints.restored, "Go back, by a run", d.Run,
          body=a.Nothing, status=202, others=(404, 409, 424)),
    Route("DELETE", f"{API}/checkpoints/{{name}}", "admin", checkpoints.deleted, "Delete a checkpoint", d.Deleted,
          others=(404,)),
    Route("GET", f"{API}/stats", "viewer", tracking.stats, "Count successes and failures", d.Stats,
          query=a.StatsWanted, others=(404,)),
    Route("GET", f"{API}/history", "viewer", tracking.history, "List what was executed, the newest first", d.History,
          query=a.HistoryWanted),
    Route("GET", f"{API}/locks", "viewer", tracking.held, "Show who holds what", d.Locks, query=a.Page, confined=True),
    Route("GET", f"{API}/drift", "viewer", tracking.drift, "Compare what was recorded with what is", d.Drift,
          query=a.OfPlan, others=(404, 424)),
    Route("GET", f"{API}/actions", "viewer", triggers.actions, "List actions", d.Actions, query=a.Page),
    Route("POST", f"{API}/actions/{{name}}/fire", "operator", triggers.fired, "Execute an action", d.Fired,
          body=a.FireWanted, status=202, others=(404, 409, 424)),
    Route("GET", f"{API}/triggers", "viewer", triggers.triggers, "List triggers: armed or not, due when", d.Triggers,
          query=a.Page),
    Route("POST", f"{API}/triggers/{{name}}/enable", "operator", triggers.enabled, "Arm a trigger", d.Trigger,
          body=a.Nothing, others=(404,)),
    Route("POST", f"{API}/triggers/{{name}}/disable", "operator", triggers.disabled, "Disarm a trigger", d.Trigger,
          body=a.Nothing, others=(404,)),
    Route("POST", f"{API}/triggers/{{name}}/check", "operator", triggers.checked, "Let a trigger look now", d.Checked,
          body=a.CheckWanted, others=(404, 409, 424)),
    Route("GET", f"{API}/tenants", "viewer", tracking.of_tenants, "Show what every tenant runs", d.Tenants,
          query=a.Page, confined=True),
    Route("GET", f"{API}/hosts", "viewer", hosts.of_plans, "Show how it went with the hosts that plans work on", d.Hosts,
          query=a.Page),
    Route("GET", f"{API}/session", "viewer", tracking.session, "Show who asks", d.SessionState, confined=True, quick=True),
    Route("GET", "/metrics", "viewer", tracking.metrics, "Metrics for Prometheus", None, media=METRICS),
    Route("GET", "/openapi.json", "viewer", tracking.description, "This description", d.Description, confined=True, quick=True),
    Route("GET", "/healthz", None, tracking.health, "Does the server live?", d.Health, confined=True, quick=True),
)  # fmt: skip
