// SPDX-License-Identifier: Apache-2.0
// Questions to the server: the token, one answer at a time, errors.
import { QueryValue, queryText } from "./router";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    text: string,
  ) {
    super(text);
  }
}

const TOKEN_KEY = "drover.token";

/** Takes the token from '#token=...' (once, so that it does not stay in the address). */
export function takeToken(): void {
  const found = /^#\/?token=([^&]+)/.exec(location.hash);
  if (found === null || found[1] === undefined) return;
  setToken(decodeURIComponent(found[1]));
  history.replaceState(null, "", "#/");
}

export function setToken(token: string): void {
  try {
    sessionStorage.setItem(TOKEN_KEY, token);
  } catch {
    // private windows without storage: the token lives as long as the page
  }
  memoryToken = token;
}

let memoryToken: string | null = null;

export function authorization(): Record<string, string> {
  let token = memoryToken;
  try {
    token ??= sessionStorage.getItem(TOKEN_KEY);
  } catch {
    // see setToken
  }
  return token === null || token === "" ? {} : { Authorization: "Bearer " + token };
}

/** The address of an endpoint relative to the page, so that any prefix works. */
export function apiAddress(path: string, query?: Record<string, QueryValue>): string {
  const text = query === undefined ? "" : queryText(query);
  return "api/v1/" + path.replace(/^\//, "") + (text === "" ? "" : "?" + text);
}

const refused = new Set<() => void>();

/** Called when the server wants another token. */
export function onRefused(watcher: () => void): () => void {
  refused.add(watcher);
  return () => {
    refused.delete(watcher);
  };
}

interface Kept {
  etag: string;
  body: unknown;
}

const KEPT_MAX = 80;
const kept = new Map<string, Kept>();

async function failure(answer: Response): Promise<ApiError> {
  let text = `the server answered ${answer.status}`;
  let code = String(answer.status);
  try {
    const body = (await answer.json()) as { error?: { code?: string; text?: string } };
    if (typeof body.error?.text === "string") text = body.error.text;
    if (typeof body.error?.code === "string") code = body.error.code;
  } catch {
    // not JSON: the status has to do
  }
  if (answer.status === 401) for (const watcher of refused) watcher();
  return new ApiError(answer.status, code, text);
}

async function reach(address: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(address, { ...init, cache: "no-store", credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "offline", "The dashboard does not answer. Is `drover dashboard` still running?");
  }
}

/** What was answered last to a question, without asking; for showing something at once. */
export function peek<T>(path: string, query?: Record<string, QueryValue>): T | null {
  const known = kept.get(apiAddress(path, query));
  return known === undefined ? null : (known.body as T);
}

/** One GET. An answer that did not change (304) is the same object as before. */
export async function get<T>(path: string, query?: Record<string, QueryValue>, signal?: AbortSignal): Promise<T> {
  const address = apiAddress(path, query);
  const known = kept.get(address);
  const headers: Record<string, string> = { Accept: "application/json", ...authorization() };
  if (known !== undefined) headers["If-None-Match"] = known.etag;
  const answer = await reach(address, { headers, signal: signal ?? null });
  if (answer.status === 304 && known !== undefined) {
    kept.delete(address);
    kept.set(address, known);
    return known.body as T;
  }
  if (!answer.ok) throw await failure(answer);
  const body = (await answer.json()) as T;
  const etag = answer.headers.get("ETag");
  kept.delete(address);
  if (etag !== null) kept.set(address, { etag, body });
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT_MAX) break;
    kept.delete(oldest);
  }
  return body;
}

export async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const answer = await reach(apiAddress(path), {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json", ...authorization() },
    body: JSON.stringify(body),
    signal: signal ?? null,
  });
  if (!answer.ok) throw await failure(answer);
  return (await answer.json()) as T;
}

export function asError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(0, "page", error instanceof Error ? error.message : String(error));
}
