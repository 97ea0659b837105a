// A document that is fetched, shown, and fetched again when something happened; never more often than it takes to get it.

import { untrack } from "svelte";
import type { ApiError } from "./api";
import { wire } from "./live.svelte";
import type { Event } from "./types";

const GATHER_MS = 50; // what happens together is fetched together
const WATCH_MS = 1000;
const REST_MIN_MS = 200;
const REST_MAX_MS = 3000;
const REST_FACTOR = 5; // a document that takes 100 ms to get is asked for once in 600 ms: watching is to cost a run little

export class Loaded<T> {
  value = $state.raw<T | null>(null);
  error = $state.raw<ApiError | null>(null);
  busy = $state(false);
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #rested = 0; // when it may be fetched again
  #closed = false;

  constructor(private readonly fetched: () => Promise<T>) {}

  async now(): Promise<void> {
    if (this.busy) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.busy = true;
    this.#again = false;
    const begun = performance.now();
    try {
      const value = await this.fetched();
      if (this.#closed) return;
      this.value = value;
      this.error = null;
    } catch (error) {
      this.error = error as ApiError;
    } finally {
      this.busy = false;
      const ended = performance.now();
      this.#rested = ended + Math.min(REST_MAX_MS, Math.max(REST_MIN_MS, REST_FACTOR * (ended - begun)));
    }
    if (this.#again) this.soon();
  }

  soon(): void {
    if (this.#closed) return;
    if (this.busy) this.#again = true;
    else this.#timer ??= setTimeout(() => void this.now(), Math.max(GATHER_MS, this.#rested - performance.now()));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

/** Fetches a document, and again whenever an event says that it may have changed. Call it where a component begins. */
export function live<T>(fetched: () => Promise<T>, wanted: (event: Event) => boolean): Loaded<T> {
  const loaded = new Loaded(fetched);
  $effect(() => {
    const stop = untrack(() =>
      wire.follow({ events: (news) => news.some(wanted) && loaded.soon(), renew: () => void loaded.now() }),
    );
    return () => (stop(), loaded.close());
  });
  return loaded;
}

/** Of what no event tells, such as who joined a queue: asked for again and again while it is so. */
export function watch<T>(loaded: Loaded<T>, unsettled: (value: T) => boolean): void {
  $effect(() => {
    if (loaded.value === null || !unsettled(loaded.value)) return;
    const timer = setTimeout(() => loaded.soon(), WATCH_MS);
    return () => clearTimeout(timer);
  });
}
