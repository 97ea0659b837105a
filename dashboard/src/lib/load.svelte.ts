// A document that is fetched, shown, and fetched again when something happened; never more often than it takes to get it.

import { untrack } from "svelte";
import type { ApiError } from "./api";
import { follow, type Listener } from "./live.svelte";
import type { Event } from "./types";

const REST_MIN_MS = 200;
const REST_FACTOR = 3; // a document that takes 300 ms to make is asked for once in 900 ms at most

export class Loaded<T> {
  value = $state.raw<T | null>(null);
  error = $state.raw<ApiError | null>(null);
  busy = $state(false);
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #rest = REST_MIN_MS;
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
      this.#rest = Math.max(REST_MIN_MS, REST_FACTOR * (performance.now() - begun));
    }
    if (this.#again) this.soon();
  }

  soon(): void {
    if (this.#closed) return;
    if (this.busy) this.#again = true;
    else this.#timer ??= setTimeout(() => void this.now(), this.#rest);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}

/** Fetches a document now, and again whenever an event says that it may have changed. Call it where a component begins. */
export function live<T>(fetched: () => Promise<T>, wanted: (event: Event) => boolean): Loaded<T> {
  const loaded = new Loaded(fetched);
  $effect(() => {
    void untrack(() => loaded.now());
    const listener: Listener = {
      since: () => null,
      events: (news) => news.some(wanted) && loaded.soon(),
      reset: () => loaded.soon(),
    };
    const stop = follow("/events", listener);
    return () => (stop(), loaded.close());
  });
  return loaded;
}
