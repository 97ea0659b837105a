// Strings from hosts, services and plan files are hostile until proven otherwise. They only ever become text nodes, and
// what a reader could not see, or what could reorder what he sees, is written out before it enters the program.

const UNSEEN = "\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff";
const RAW = new RegExp(`[${UNSEEN}]`, "g");
const ANY = new RegExp(`[${UNSEEN}]|\\\\[bfu]`);
const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|[\s\S])/g;
const CARRIAGE_RETURN = 0x0d;

export function seen(text: string): string {
  return text.replace(RAW, (found) => named(found.codePointAt(0) ?? 0));
}

/** Reads JSON so that no string in it holds a character that cannot be seen. Costs one look at text that holds none. */
export function readJson(text: string): unknown {
  return JSON.parse(ANY.test(text) ? seen(text.replace(ESCAPE, shownEscape)) : text);
}

function shownEscape(escape: string, digits: string | undefined): string {
  if (escape === "\\b" || escape === "\\f") return named(escape === "\\b" ? 8 : 12);
  if (digits === undefined) return escape;
  const code = Number.parseInt(digits, 16);
  const hidden = code !== CARRIAGE_RETURN && seen(String.fromCharCode(code)) !== String.fromCharCode(code);
  return hidden ? named(code) : escape;
}

function named(code: number): string {
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

export function short(text: string, charactersMax = 240): string {
  return text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text;
}

export function shortDigest(digest: string): string {
  return digest.startsWith("sha256:") ? digest.slice(7, 19) : short(digest, 12);
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** `rolled_back` as people read it. */
export function words(state: string): string {
  return state.replaceAll("_", " ");
}

export function shown(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
