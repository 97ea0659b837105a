// The time, for what says "3 s ago". It ticks only while the page is looked at.

class Now {
  ms = $state(Date.now());

  constructor() {
    setInterval(() => document.hidden || (this.ms = Date.now()), 1000);
    document.addEventListener("visibilitychange", () => (this.ms = Date.now()));
  }
}

export const now = new Now();
