// The documents of the API, as far as the dashboard reads them.

export interface Problem {
  step: string | null;
  code: string;
  message: string;
  hint?: string | null;
  where?: string | null;
  retryable?: boolean;
}

export interface Heading {
  run: string;
  plan: { name: string; digest: string };
  ending: string | null;
  state: string;
  source: string;
  started_at: string | null;
  duration_s: number | null;
}

export interface RunRow extends Heading {
  steps: number;
  error: string | null;
  questions: string[]; // steps that wait for a yes, and `gate`
}

export interface Step {
  id: string;
  kind: string;
  state: string;
  guarantee: string;
  attempts: number;
  duration_s: number;
  output?: unknown;
}

export interface Stage {
  name: string;
  state: string;
  steps: Step[];
  level: number; // how many stages come before it, at least
}

export interface Task {
  name: string;
  target: string;
  state: string;
  stages: Stage[];
  tenant: string | null;
  needs: string[]; // tasks
  commands: string[]; // what this caller may ask of it now
}

export interface Residue {
  step: string;
  resource: string;
  reason: string;
  what_to_do: string;
  kept: string;
}

/** A run that waits for locks: for whom, if anybody is still in the way. */
export interface Waiter {
  run: string;
  owner: string;
  keys: string[];
  since: string;
  behind: string | null;
}

export interface Run extends Heading {
  executed: string[];
  unchanged: string[];
  failed: string[];
  rolled_back: string[];
  skipped: string[];
  residue: Residue[];
  errors: Problem[];
  tasks: Task[];
  confirm_until: string | null;
  questions: string[]; // steps that wait for a yes, and `gate`
  commands: string[]; // what this caller may ask of it now
  waits?: Waiter; // of a run in the queue
  warnings?: string[]; // what was told about the plan although nothing was wrong
}

export interface Event {
  seq: number;
  at: string;
  type: string;
  run: string | null;
  task?: string;
  stage?: string;
  step?: string;
  attempt?: number;
  data: Record<string, unknown>;
}

export interface Change {
  step: string;
  resource: string;
  action: string;
  before: unknown;
  after: unknown;
  diff: string;
  guarantee: string;
}

export interface Preview {
  warnings?: string[];
  id?: string;
  plan: string;
  digest: string;
  changes: Change[];
  problems: Problem[];
  irreversible: string[];
}

export interface Tenant {
  tenant: string;
  resource: string;
  version: unknown;
  last_known_good: unknown;
  updated_at: string;
}

export interface Checkpoint {
  name: string;
  created_at: string;
  plan: string | null;
  resources: string[];
}

export interface Execution {
  id: string;
  action_id: string;
  source: string;
  execution_type: string;
  success: boolean | null;
  started_at: string | null;
  completed_at: string | null;
  duration_ms: number | null;
  output: string | null;
  error: string | null;
  interrupted: boolean;
  run: string | null;
}

export interface Cleanup {
  scanner_id: string;
  resource_id: string;
  action: string;
  success: boolean;
  error: string | null;
  executed_at: string;
}

export interface ActionStats {
  action_id: string;
  total_executions: number;
  successes: number;
  failures: number;
  interrupted: number;
  avg_duration_ms: number;
  p95_duration_ms: number;
  last_run_at: string | null;
}

export interface Stats {
  actions: ActionStats[];
  runs: { total: number; by_ending: Record<string, number> };
}

export interface Lock {
  id: string;
  key: string;
  run: string;
  owner: string;
  since: string;
  fence: number;
}

export interface Drifted {
  resource: string;
  recorded: unknown;
  found: unknown;
}

export interface Trigger {
  name: string;
  type: string;
  enabled: boolean;
  next_at: string | null;
  last_at: string | null;
  state: string;
  schedule: string | null; // of cron, with its timezone
  timezone: string | null;
  interval_s: number | null; // of watchers and scanners
  skipped: number; // times that it could not look, or was not to fire
}

export interface Action {
  name: string;
  type: string;
  cooldown_s: number;
  remaining_s: number;
  executing: boolean;
  last_at: string | null;
  last_success: boolean | null;
}

export interface Host {
  target: string;
  type: string;
  address: string;
  reachable: boolean | null;
  error: string | null;
  run: string;
  last_at: string;
  steps: number;
  failed: number;
  circuit: string | null;
}

/** The SSH connections of a run that is under way. */
export interface Connections {
  run: string;
  connections: number;
  sessions: number;
  opened: number;
  reused: number;
  replaced: number;
  expired: number;
  failed: number;
}
