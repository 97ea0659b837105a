// What somebody who was woken up needs first: what happened, whether it is safe, and what is to be done. A run that asks
// somebody says so itself.

import { standing } from "./states";
import { plural, short } from "./text";
import type { Row } from "./story.svelte";
import type { Run, Task } from "./types";

export interface Verdict {
  happened: string;
  so: string; // whether it is safe, and what to do
}

const NAMES_MAX = 3;

export function verdictOf(run: Run, rows: Row[], counts: Record<string, number>): Verdict {
  return (VERDICTS[standing(run)] ?? VERDICTS["running"]!)(run, rows, counts);
}

type Judge = (run: Run, rows: Row[], counts: Record<string, number>) => Verdict;

const VERDICTS: Record<string, Judge> = {
  committed: (run) => ({
    happened: "Every change is in place and durable.",
    so: run.commands.includes("rollback") ? "Nothing is left to do. It can still be rolled back." : "Nothing is left to do.",
  }),
  unchanged: () => ({ happened: "There was nothing to do.", so: "Everything was already as the plan wants it." }),
  refused: () => ({ happened: "It was refused before it began.", so: "Nothing was touched. Put right what is said below, then apply the plan again." }),
  rolled_back: (run) => ({
    happened: `${why(run)}, and all of it was rolled back.`,
    so: run.residue.length ? "All is as it was before this run, except for what is left behind below." : "Everything is as it was before this run.",
  }),
  partial: (run) => ({
    happened: parts(run),
    so: run.residue.length ? "What is in stays. See below what was left behind." : "What is in stays. Retry goes on with the rest.",
  }),
  stuck: (run) => ({
    happened: "It failed, and rollback could not finish.",
    so: `${plural(run.residue.length, "thing")} ${run.residue.length === 1 ? "is" : "are"} left behind. Do what is said below, then roll back again.`,
  }),
  interrupted: (run) => ({
    happened: "The process that drove it is gone.",
    so:
      run.confirm_until === null
        ? "What was in flight is looked at before anything else is done. Resume goes on with the plan; roll back undoes it."
        : "Confirm keeps what it did; else it is rolled back, by whoever recovers it.",
  }),
  created: () => ({ happened: "It is being prepared.", so: "Nothing was touched yet." }),
  queued: (run) => ({
    happened: "It waits for locks that another run holds.",
    so: `Nothing was touched yet.${run.waits && run.waits.behind === null ? " It is next." : ""}`,
  }),
  running: (_, rows, counts) => ({ happened: progress(counts, rows.length), so: inFlight(rows) }),
  pausing: () => ({ happened: "It is about to rest.", so: "What is being applied is finished first. A long step may take its time." }),
  paused: (run) => ({
    happened: "It rests.",
    so: run.tasks.every((task) => task.state === "pending")
      ? "It had not begun, and holds no lock. Resume puts it back into the queue."
      : "It keeps its locks, and nothing is undone. Resume goes on, cancel rolls back.",
  }),
  cancelling: () => ({ happened: "It was cancelled.", so: "What is being applied is finished first. Then all of it is undone." }),
  rolling_back: (run, _, counts) => ({
    happened: `${why(run)}. It is being rolled back.`,
    so: `${plural(counts["undone"] ?? 0, "step")} undone so far, in reverse order.`,
  }),
};

function why(run: Run): string {
  const codes = run.errors.map(({ code }) => code);
  if (codes.includes("cancelled")) return "It was cancelled";
  if (codes.includes("unconfirmed")) return "Nobody confirmed it in time";
  if (run.failed.length) return `${named(run.failed, "step")} failed`;
  return run.errors.length ? "It failed" : "Somebody asked for it";
}

function parts(run: Run): string {
  const out = run.tasks.filter((task) => !isIn(task));
  if (run.tasks.length < 2 || !out.length) return "Some changes are in, others are not.";
  const names = named(out.map(({ name }) => name), "task");
  return `${run.tasks.length - out.length} of ${run.tasks.length} tasks are in. Not in: ${names}.`;
}

function isIn(task: Task): boolean {
  return task.state === "completed" || task.state === "unchanged";
}

function named(names: string[], one: string): string {
  if (names.length > NAMES_MAX) return plural(names.length, one);
  return names.map((name) => short(name, 80)).join(", ");
}

function progress(counts: Record<string, number>, total: number): string {
  const done = (counts["applied"] ?? 0) + (counts["unchanged"] ?? 0);
  return `${done.toLocaleString("en")} of ${plural(total, "step")} ${done === 1 ? "is" : "are"} done.`;
}

function inFlight(rows: Row[]): string {
  const steps = rows.filter(({ step }) => step.state === "applying").map(({ step }) => step.id);
  return steps.length ? `Now: ${named(steps, "step")}.` : "Nothing is in flight.";
}
