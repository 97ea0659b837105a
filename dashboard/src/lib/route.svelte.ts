// Where we are: what stands behind the `#`. The server knows one page, so every address works after a reload.

class Route {
  #hash = $state(location.hash);
  #parts = $derived(this.#hash.replace(/^#\/?/, "").split("?")[0]!.split("/").map(decodeURIComponent));
  page = $derived(this.#parts[0] || "runs");
  name = $derived(this.#parts[1] ?? "");
  view = $derived(this.#parts[2] ?? "");
  query = $derived(new URLSearchParams(this.#hash.split("?")[1] ?? ""));

  constructor() {
    addEventListener("hashchange", () => (this.#hash = location.hash));
  }
}

export const route = new Route();

export function link(...parts: string[]): string {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

export function go(...parts: string[]): void {
  location.hash = link(...parts);
}

/** Changes what the address says without a new entry in the history. */
export function rewrite(address: string): void {
  history.replaceState(null, "", address);
  dispatchEvent(new HashChangeEvent("hashchange"));
}
