// The one door to the server: same origin, cookie session, JSON in and out. A refusal is an `ApiError` with the server's words.

import { session } from "./session.svelte";
import { readJson } from "./text";
import type { Problem } from "./types";

const BASE = "/api/v1";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string | null,
    readonly problems: Problem[],
  ) {
    super(message);
  }
}

export async function get<T>(path: string, query: Record<string, string | number | null | undefined> = {}): Promise<T> {
  return ask<T>("GET", path + asQuery(query));
}

/** All pages of a list, up to a limit that keeps the browser alive. */
export async function all<T>(path: string, name: string, query: Record<string, string> = {}, itemsMax = 20_000): Promise<T[]> {
  const found: T[] = [];
  let cursor: string | null = null;
  do {
    const page: Record<string, unknown> = await get(path, { ...query, limit: 1000, cursor });
    found.push(...(page[name] as T[]));
    cursor = (page["next_cursor"] as string | null | undefined) ?? null;
  } while (cursor !== null && found.length < itemsMax);
  return found;
}

export async function post<T>(path: string, body: unknown = {}): Promise<T> {
  return ask<T>("POST", path, body);
}

export async function remove<T>(path: string): Promise<T> {
  return ask<T>("DELETE", path);
}

/** An event stream as a response whose body is still coming. */
export async function open(path: string): Promise<Response> {
  const answer = await fetch(BASE + path, { headers: { Accept: "text/event-stream" }, cache: "no-store" });
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = session.csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(BASE + path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
  }).catch(() => {
    throw new ApiError(0, "unreachable", "The server does not answer.", "Is `holdfast serve` still running?", []);
  });
  if (!answer.ok) throw await refusal(answer);
  return (answer.status === 204 ? undefined : readJson(await answer.text())) as T;
}

async function refusal(answer: Response): Promise<ApiError> {
  if (answer.status === 401) session.lost();
  const text = await answer.text();
  try {
    const { error } = readJson(text) as { error: { code: string; message: string; hint?: string; problems?: Problem[] } };
    return new ApiError(answer.status, error.code, error.message, error.hint ?? null, error.problems ?? []);
  } catch {
    return new ApiError(answer.status, "unknown", `The server answered ${answer.status}.`, null, []);
  }
}

function asQuery(query: Record<string, string | number | null | undefined>): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}
