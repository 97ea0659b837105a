// One run as it unfolds: its document, the events that made it, and what both say about now. A document of ten thousand
// steps is not fetched for every event: steps follow the events at once, and the document catches up when it can.

import { untrack } from "svelte";
import { get } from "./api";
import { follow } from "./live.svelte";
import { Loaded } from "./load.svelte";
import { STEP_DONE } from "./states";
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
  spans = new Map<string, Span>();
  events = $state.raw<Event[]>([]);
  confirmWithin = $state<number | null>(null); // seconds
  gate = $state<number | null>(null); // the batch that was finished last
  told = $state(false); // are all past events here?

  constructor(readonly id: string) {
    this.#loaded = new Loaded(() => get<Run>(`/runs/${id}`));
    $effect(() => {
      const stop = untrack(() => this.#begin());
      return () => (stop(), this.#loaded.close());
    });
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

  done = $derived(this.rows.reduce((sum, { step }) => sum + Number(STEP_DONE.has(step.state)), 0));

  again(): void {
    this.#loaded.soon();
  }

  #begin(): () => void {
    let stopped = false;
    let stop = () => {};
    void this.#loaded.now().then(async () => {
      await this.#past(() => stopped);
      if (!stopped) stop = this.#future();
    });
    return () => {
      stopped = true;
      stop();
    };
  }

  async #past(stopped: () => boolean): Promise<void> {
    let since = 0;
    while (!stopped()) {
      const { events } = await get<{ events: Event[] }>(`/runs/${this.id}/events`, { since, limit: PAGE });
      this.#take(events, false);
      if (events.length < PAGE) break;
      since = events.at(-1)!.seq;
    }
    this.told = true;
    if (this.run?.ending === null) this.#loaded.soon(); // it may have moved on while its past was read
  }

  /** A run that is over may go on: by a rollback or a retry. So everything is listened to, and what is of this run kept. */
  #future(): () => void {
    const last = this.events.at(-1)?.seq ?? 0;
    let since = last;
    return follow("/events", {
      since: () => since,
      events: (news) => {
        since = news.findLast((event) => event.seq)?.seq ?? since;
        const ours = news.filter((event) => event.run === this.id && (event.seq === undefined || event.seq > last));
        if (!ours.length) return;
        this.#take(ours.filter((event) => event.seq), true);
        this.#loaded.soon();
      },
      reset: () => this.#loaded.soon(),
    });
  }

  #take(news: Event[], inPlace: boolean): void {
    if (!news.length) return;
    for (const event of news) this.#fold(event, inPlace);
    this.events = [...this.events, ...news].slice(-EVENTS_MAX);
    this.#version += 1;
  }

  #fold(event: Event, inPlace: boolean): void {
    if (event.step !== undefined) this.#foldStep(event, inPlace);
    else if (event.type === "run.gate_waiting") this.gate = Number(event.data["number"]);
    else if (event.type === "run.confirming")
      this.confirmWithin = (Date.parse(String(event.data["until"])) - Date.parse(event.at)) / 1000;
  }

  #foldStep(event: Event, inPlace: boolean): void {
    const state = STEP_STATES[event.type];
    if (state === undefined) return;
    const row = inPlace ? this.#byId.get(event.step!) : undefined;
    if (row) row.step = { ...row.step, state };
    const at = Date.parse(event.at);
    const span = this.spans.get(event.step!) ?? { from: at, to: null, undoFrom: null, undoTo: null };
    if (state === "undoing") span.undoFrom ??= at;
    else if (state === "undone" || state === "undo_failed") span.undoTo = at;
    else if (state === "applied" || state === "failed") span.to = at;
    this.spans.set(event.step!, span);
  }

  #index(run: Run | null): void {
    this.#of = run;
    this.#rows = [];
    for (const task of run?.tasks ?? [])
      for (const stage of task.stages)
        for (const step of stage.steps) this.#rows.push({ number: this.#rows.length, task: task.name, stage: stage.name, step });
    this.#byId = new Map(this.#rows.map((row) => [row.step.id, row]));
  }
}
