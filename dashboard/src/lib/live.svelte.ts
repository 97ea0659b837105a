// Events as they happen: one stream for all tabs, whoever listens. A browser opens six connections to one server, and a
// stream holds one as long as it lasts: with one for each tab the seventh tab would wait for ever. So the tab that holds a
// lock reads, and tells the others; when it is closed, the next one takes over. Read with `fetch`, because a browser's own
// EventSource hands over only types it was told of beforehand. Batches arrive once per frame, however many events there are.

import { ApiError, open } from "./api";
import { readJson } from "./text";
import type { Event } from "./types";

export interface Listener {
  events: (news: Event[]) => void;
  /** What is known may be old: when the stream begins, and when some of it was missed. Fetch the document. */
  renew: () => void;
}

type Standing = "connecting" | "live" | "lost";
type Word = { standing: Standing; renew: boolean } | { blocks: string[] };
const PAUSES_MS = [250, 1000, 2000, 5000];
const SHUT = [401, 403, 404]; // asking again will not help
const NAME = "events"; // of the lock, and of the channel between tabs
const HELLO = "how does it stand?";

class Wire {
  standing = $state<Standing>("connecting");
  #listeners = new Set<Listener>();
  #gathered = new Gathered((news) => this.#listeners.forEach((listener) => listener.events(news)));
  // Both are missing where a page is neither from this machine nor encrypted; then each tab reads for itself.
  #others = navigator.locks ? new BroadcastChannel(NAME) : null;
  #reads = false;

  /** Listens until the returned function is called. */
  follow(listener: Listener): () => void {
    this.#listeners.add(listener);
    if (this.standing !== "connecting") listener.renew();
    return () => this.#listeners.delete(listener);
  }

  async read(): Promise<void> {
    if (this.#others === null) return this.#read();
    this.#others.onmessage = ({ data }) => {
      if (data !== HELLO) this.#hear(data as Word);
      else if (this.#reads) this.#others!.postMessage({ standing: this.standing, renew: false } satisfies Word);
    };
    this.#others.postMessage(HELLO);
    await navigator.locks.request(NAME, () => this.#read());
  }

  async #read(): Promise<void> {
    this.#reads = true;
    for (let failures = 0; ; ) {
      try {
        const answer = await open("/events");
        failures = 0;
        this.#tell({ standing: "live", renew: true });
        await this.#take(answer);
      } catch (error) {
        // The documents may still be had, or say what is wrong.
        this.#tell({ standing: "lost", renew: failures === 0 });
        if (error instanceof ApiError && SHUT.includes(error.status)) break;
        failures += 1;
      }
      await new Promise((done) => setTimeout(done, PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)]));
    }
    this.#reads = false;
  }

  async #take(answer: Response): Promise<void> {
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split(/\r?\n\r?\n/);
      rest = blocks.pop()!;
      if (blocks.length) this.#tell({ blocks });
    }
  }

  #tell(word: Word): void {
    this.#others?.postMessage(word);
    this.#hear(word);
  }

  #hear(word: Word): void {
    if ("blocks" in word) {
      for (const block of word.blocks) if (this.#gathered.take(block) === "reset") this.#renew();
      return;
    }
    const first = this.standing === "connecting";
    this.standing = word.standing;
    if (word.renew || first) this.#renew();
  }

  #renew(): void {
    this.#listeners.forEach((listener) => listener.renew());
  }
}

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

  #flush(): void {
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
    if (document.hidden) setTimeout(() => this.#flush(), 200);
    else requestAnimationFrame(() => this.#flush());
  }
}

export const wire = new Wire();
