// Events as they happen: one stream for the whole page, whoever listens. A browser opens few connections to one server, and
// a second tab wants some as well. Read with `fetch`, because a browser's own EventSource hands over only types it was told
// of beforehand. Batches arrive once per frame, however many events there are.

import { ApiError, open } from "./api";
import { readJson } from "./text";
import type { Event } from "./types";

export interface Listener {
  events: (news: Event[]) => void;
  /** What is known may be old: when the stream begins, and when some of it was missed. Fetch the document. */
  renew: () => void;
}

type Standing = "connecting" | "live" | "lost";
const PAUSES_MS = [250, 1000, 2000, 5000];
const SHUT = [401, 403, 404]; // asking again will not help

class Wire {
  standing = $state<Standing>("connecting");
  #listeners = new Set<Listener>();

  /** Listens until the returned function is called. */
  follow(listener: Listener): () => void {
    this.#listeners.add(listener);
    if (this.standing !== "connecting") listener.renew();
    return () => this.#listeners.delete(listener);
  }

  async read(): Promise<void> {
    for (let failures = 0; ; ) {
      try {
        const answer = await open("/events");
        this.standing = "live";
        failures = 0;
        this.#renew();
        await this.#take(answer);
      } catch (error) {
        this.standing = "lost";
        if (failures === 0) this.#renew(); // the documents may still be had, or say what is wrong
        if (error instanceof ApiError && SHUT.includes(error.status)) return;
        failures += 1;
      }
      await new Promise((done) => setTimeout(done, PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)]));
    }
  }

  async #take(answer: Response): Promise<void> {
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    const gathered = new Gathered((news) => this.#listeners.forEach((listener) => listener.events(news)));
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const blocks = (rest + value).split(/\r?\n\r?\n/);
      rest = blocks.pop()!;
      for (const block of blocks) if (gathered.take(block) === "reset") this.#renew();
    }
    gathered.flush();
  }

  #renew(): void {
    this.#listeners.forEach((listener) => listener.renew());
  }
}

export const wire = new Wire();

class Gathered {
  #events: Event[] = [];
  #asked = false;

  constructor(private readonly tell: (news: Event[]) => void) {}

  /** The type of what was told. */
  take(block: string): string {
    let type = "";
    let data = "";
    for (const line of block.split(/\r?\n/)) {
      if (line.startsWith("event:")) type = line.slice(6).trim();
      else if (line.startsWith("data:")) data += line.slice(5).trimStart();
    }
    if (type !== "reset" && data) this.#add(readJson(data) as Event);
    return type;
  }

  flush(): void {
    this.#asked = false;
    const news = this.#events;
    this.#events = [];
    if (news.length) this.tell(news);
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
