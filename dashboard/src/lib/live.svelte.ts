// Events as they happen. Read with `fetch`, because a browser's own EventSource hands over only types it was told of
// beforehand, and cannot say where to begin. Batches arrive once per frame, however many events there are.

import { ApiError, open } from "./api";
import { readJson } from "./text";
import type { Event } from "./types";

export interface Listener {
  /** Asked at every connection: the number of the last event that is known. */
  since: () => number | null;
  events: (news: Event[]) => void;
  /** Events were missed: fetch the document again. */
  reset: () => void;
  /** Whether to connect again after the server has ended the stream. */
  again?: () => boolean;
}

type Standing = "connecting" | "live" | "lost";
const PAUSES_MS = [250, 1000, 2000, 5000];

class Wire {
  standing = $state<Standing>("connecting");
}

export const wire = new Wire();

/** Listens until the returned function is called. */
export function follow(path: string, listener: Listener): () => void {
  const stopped = new AbortController();
  void keepReading(path, listener, stopped.signal);
  return () => stopped.abort();
}

async function keepReading(path: string, listener: Listener, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      const answer = await open(path, listener.since(), signal);
      wire.standing = "live";
      if (failures > 0) listener.reset();
      failures = 0;
      await read(answer, listener, signal);
      if (listener.again?.() === false) return;
    } catch (error) {
      if (signal.aborted || (error instanceof ApiError && [401, 403, 404].includes(error.status))) return;
      wire.standing = "lost";
      failures += 1;
    }
    await pause(PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)]!, signal);
  }
}

async function read(answer: Response, listener: Listener, signal: AbortSignal): Promise<void> {
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  const gathered = new Gathered(listener, signal);
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop()!;
    for (const block of blocks) gathered.take(block);
  }
  gathered.flush();
}

class Gathered {
  #events: Event[] = [];
  #asked = false;

  constructor(
    private readonly listener: Listener,
    private readonly signal: AbortSignal,
  ) {}

  take(block: string): void {
    let type = "";
    let data = "";
    for (const line of block.split(/\r?\n/)) {
      if (line.startsWith("event:")) type = line.slice(6).trim();
      else if (line.startsWith("data:")) data += line.slice(5).trimStart();
    }
    if (type === "reset") this.listener.reset();
    else if (data) this.#add(readJson(data) as Event);
  }

  flush(): void {
    this.#asked = false;
    const news = this.#events;
    this.#events = [];
    if (news.length && !this.signal.aborted) this.listener.events(news);
  }

  #add(event: Event): void {
    this.#events.push(event);
    if (this.#asked) return;
    this.#asked = true;
    // A page in the background gets no frames, and is to be right when somebody looks at it again.
    if (document.hidden) setTimeout(() => this.flush(), 200);
    else requestAnimationFrame(() => this.flush());
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
  });
}
