// Times and durations as people read them. All times on the wire are UTC; here they are local, with UTC at hand.

const DAY_S = 86_400;

export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 0.0005) return "0 ms";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1).replace(".0", "")} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return both(seconds, 60, "min", 1, "s");
  if (seconds < DAY_S) return both(seconds, 3600, "h", 60, "min");
  return both(seconds, DAY_S, "d", 3600, "h");
}

function both(seconds: number, great: number, first: string, small: number, second: string): string {
  const rest = Math.floor((seconds % great) / small);
  return `${Math.floor(seconds / great)} ${first}${rest ? ` ${pad(rest)} ${second}` : ""}`;
}

export function ago(iso: string | null, now: number): string {
  if (iso === null) return "–";
  const seconds = (now - Date.parse(iso)) / 1000;
  if (seconds < -1) return `in ${rough(-seconds)}`;
  return seconds < 2 ? "just now" : `${rough(seconds)} ago`;
}

function rough(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * DAY_S) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / DAY_S)} days`;
}

export function clock(iso: string | null): string {
  if (iso === null) return "–";
  const at = new Date(iso);
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`;
}

export function moment(iso: string | null): string {
  if (iso === null) return "–";
  const at = new Date(iso);
  return `${day(at)} ${minute(at)}:${pad(at.getSeconds())}`;
}

export function day(at: Date): string {
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
}

export function minute(at: Date): string {
  return `${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

function pad(value: number, digits = 2): string {
  return String(value).padStart(digits, "0");
}
