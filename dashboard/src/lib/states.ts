// What a state looks like: one tone and one mark for each, the same everywhere.

export type Tone = "good" | "busy" | "wait" | "bad" | "back" | "idle";
export type Mark = "check" | "same" | "dot" | "ring" | "pause" | "clock" | "cross" | "alarm" | "back" | "dash";

interface Look {
  tone: Tone;
  mark: Mark;
}

const LOOKS: Record<string, Look> = {
  // runs
  committed: { tone: "good", mark: "check" },
  unchanged: { tone: "idle", mark: "same" },
  refused: { tone: "bad", mark: "dash" },
  rolled_back: { tone: "back", mark: "back" },
  partial: { tone: "wait", mark: "alarm" },
  stuck: { tone: "bad", mark: "alarm" },
  created: { tone: "idle", mark: "ring" },
  queued: { tone: "wait", mark: "clock" },
  running: { tone: "busy", mark: "dot" },
  pausing: { tone: "wait", mark: "pause" },
  paused: { tone: "wait", mark: "pause" },
  confirming: { tone: "wait", mark: "clock" },
  cancelling: { tone: "back", mark: "back" },
  cancelled: { tone: "idle", mark: "dash" },
  rolling_back: { tone: "back", mark: "back" },
  interrupted: { tone: "bad", mark: "alarm" },
  // tasks and stages
  pending: { tone: "idle", mark: "ring" },
  waiting: { tone: "wait", mark: "clock" },
  completed: { tone: "good", mark: "check" },
  committing: { tone: "busy", mark: "dot" },
  failed: { tone: "bad", mark: "cross" },
  skipped: { tone: "idle", mark: "dash" },
  rollback_failed: { tone: "bad", mark: "alarm" },
  // steps
  applying: { tone: "busy", mark: "dot" },
  applied: { tone: "good", mark: "check" },
  in_doubt: { tone: "wait", mark: "alarm" },
  undoing: { tone: "back", mark: "back" },
  undone: { tone: "back", mark: "back" },
  undo_failed: { tone: "bad", mark: "alarm" },
  // triggers, hosts, tracking
  armed: { tone: "good", mark: "check" },
  active: { tone: "good", mark: "check" },
  idle: { tone: "idle", mark: "ring" },
  enabled: { tone: "good", mark: "check" },
  disabled: { tone: "idle", mark: "dash" },
  success: { tone: "good", mark: "check" },
  failure: { tone: "bad", mark: "cross" },
  good: { tone: "good", mark: "check" },
  unproven: { tone: "wait", mark: "alarm" },
  reachable: { tone: "good", mark: "check" },
  unreachable: { tone: "bad", mark: "cross" },
  closed: { tone: "good", mark: "check" },
  open: { tone: "bad", mark: "cross" },
  half_open: { tone: "wait", mark: "clock" },
};

const UNKNOWN: Look = { tone: "idle", mark: "ring" };

export function lookOf(state: string): Look {
  return LOOKS[state] ?? UNKNOWN;
}

/** A run as one word: how it ended, or what it is doing. */
export function standing(run: { ending: string | null; state: string; questions?: string[] }): string {
  if (run.ending !== null) return run.ending;
  return run.state === "running" && run.questions?.length ? "waiting" : run.state;
}

/** A run that has not got its locks yet. No event tells that it joined the queue for them, or who is before it. */
export function isBefore(run: { state: string }): boolean {
  return run.state === "created" || run.state === "queued";
}

export const ENDINGS = ["committed", "unchanged", "refused", "rolled_back", "partial", "stuck"];
export const STEP_DONE = new Set(["applied", "unchanged", "skipped", "undone"]);

// A guarantee as the plan gives it, from the strongest to none.
export const GUARANTEES: Record<string, { tone: Tone; says: string }> = {
  atomic: { tone: "good", says: "one switch: after a crash it is old or new" },
  reversible: { tone: "good", says: "undone from what was there before, and verified" },
  compensable: { tone: "wait", says: "undone by the counter-action that the plan declares" },
  irreversible: { tone: "bad", says: "cannot be undone" },
};
