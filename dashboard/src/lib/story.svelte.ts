// One run as it unfolds: its document, and the events that change it. A document of ten thousand steps is not fetched for
// every event: steps follow the events at once, and the document catches up when it can. What was before is read when
// somebody wants to see it.

import { untrack } from "svelte";
import { get, type ApiError } from "./api";
import { wire } from "./live.svelte";
import { Loaded, watch } from "./load.svelte";
import { isBefore, STEP_DONE } from "./states";
import type { Event, Run, Step } from "./types";

const EVENTS_MAX = 100_000;
const PAGE = 1000;
const STEP_STATES: Record<string, string> = {
  "step.applying": "applying",
  "step.applied": "applied",
  "step.unchanged": "unchanged",
  "step.failed": "failed",
  "step.retrying": "waiting",
  "step.skipped": "skipped",
  "step.undoing": "undoing",
  "step.undone": "undone",
  "step.undo_failed": "undo_failed",
  "step.in_doubt": "in_doubt",
};

export interface Row {
  number: number;
  task: string;
  stage: string;
  step: Step;
}

/** When a step was worked on, in milliseconds since the epoch. */
export interface Span {
  from: number;
  to: number | null;
  undoFrom: number | null;
  undoTo: number | null;
}

export class Story {
  #loaded: Loaded<Run>;
  #version = $state(0); // counts what events changed in place
  #rows: Row[] = [];
  #byId = new Map<string, Row>();
  #of: Run | null = null;

  constructor(readonly id: string) {
    this.#loaded = new Loaded(() => get<Run>(`/runs/${id}`));
    $effect(() => {
      const stop = untrack(() => wire.follow({ events: (news) => this.#take(news), renew: () => this.#renew() }));
      return () => (stop(), this.#loaded.close());
    });
    watch(this.#loaded, isBefore);
  }

  get run(): Run | null {
    return this.#loaded.value;
  }

  get error() {
    return this.#loaded.error;
  }

  /** The steps in the order of the plan, as they stand now. */
  rows = $derived.by(() => {
    const run = this.#loaded.value;
    void this.#version;
    if (run !== this.#of) this.#index(run);
    return [...this.#rows];
  });

  counts = $derived.by(() => {
    const found: Record<string, number> = {};
    for (const { step } of this.rows) found[step.state] = (found[step.state] ?? 0) + 1;
    return found;
  });

  done = $derived(Object.entries(this.counts).reduce((sum, [state, count]) => sum + (STEP_DONE.has(state) ? count : 0), 0));

  again(): void {
    this.#loaded.soon();
  }

  #renew(): void {
    void this.#loaded.now();
    this.#missed = true;
    if (this.#past === "read") void this.#read();
  }

  /** A run that is over may go on: by a rollback or a retry. So everything is listened to, and what is of this run kept. */
  #take(news: Event[]): void {
    const ours = news.filter((event) => event.run === this.id);
    if (!ours.length) return;
    this.#loaded.soon();
    for (const event of ours) {
      const [row, state] = [this.#byId.get(event.step ?? ""), STEP_STATES[event.type]];
      if (row && state) row.step = { ...row.step, state };
    }
    this.#version += 1;
    const told = ours.filter((event) => event.seq); // what is in no journal is of the moment
    if (this.#past === "reading") this.#meanwhile.push(...told);
    else if (this.#past === "read") this.#keep(told);
  }

  #index(run: Run | null): void {
    this.#of = run;
    this.#rows = [];
    for (const task of run?.tasks ?? [])
      for (const stage of task.stages)
        for (const step of stage.steps) this.#rows.push({ number: this.#rows.length, task: task.name, stage: stage.name, step });
    this.#byId = new Map(this.#rows.map((row) => [row.step.id, row]));
  }

  // -- what was before

  events = $state.raw<Event[]>([]);
  spans = new Map<string, Span>();
  unread = $state.raw<ApiError | null>(null); // why not
  #past = $state<"unread" | "reading" | "read">("unread");
  #meanwhile: Event[] = []; // heard while it is being read
  #missed = false; // something, since the last page was asked for

  /** Are all past events here? */
  get told(): boolean {
    return this.#past === "read";
  }

  /** Somebody looks at events. */
  tell(): void {
    if (this.#past === "unread") void this.#read();
  }

  async #read(): Promise<void> {
    this.#past = "reading";
    this.#meanwhile = [];
    try {
      let page: Event[];
      do {
        this.#missed = false;
        const since = this.events.at(-1)?.seq ?? 0;
        page = (await get<{ events: Event[] }>(`/runs/${this.id}/events`, { since, limit: PAGE })).events;
        this.#keep(page);
      } while (page.length === PAGE || this.#missed);
      this.#keep(this.#meanwhile);
      this.#past = "read";
      this.unread = null;
    } catch (error) {
      this.#past = "unread";
      this.unread = error as ApiError;
    }
  }

  #keep(news: Event[]): void {
    const last = this.events.at(-1)?.seq ?? 0;
    const added = news.filter(({ seq }) => seq > last);
    for (const event of added) this.#mark(event);
    if (added.length) this.events = [...this.events, ...added].slice(-EVENTS_MAX);
  }

  #mark({ step, type, at: moment }: Event): void {
    const state = STEP_STATES[type];
    if (step === undefined || state === undefined) return;
    const at = Date.parse(moment);
    const span = this.spans.get(step) ?? { from: at, to: null, undoFrom: null, undoTo: null };
    if (state === "undoing") span.undoFrom ??= at;
    else if (state === "undone" || state === "undo_failed") span.undoTo = at;
    else if (state === "applied" || state === "failed") span.to = at;
    this.spans.set(step, span);
  }
}
