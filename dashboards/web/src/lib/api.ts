// SPDX-License-Identifier: Apache-2.0
// Questions to the server, and useData(), which keeps an answer fresh while it is shown.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { onTick } from "./live";
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

export interface Data<T> {
  /** last good answer to the question now asked, else to the one before (then `stale`) */
  data: T | null;
  error: ApiError | null;
  loading: boolean;
  /** data answers an older question: show it dimmed */
  stale: boolean;
  retry: () => void;
}

export interface DataOptions<T> {
  /** asked again when the store changes (default), "all": also when what runs changes */
  live?: boolean | "all";
  /** ask again after so many ms although nothing changed (0: do not) */
  again?: (data: T) => number;
}

export function asError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(0, "page", error instanceof Error ? error.message : String(error));
}

/** Asks PATH (null: nothing) and keeps the answer fresh while the view is shown: at most one
 * question at a time, aborted when the question changes or the view is left. */
export function useData<T>(path: string | null, query?: Record<string, QueryValue>, options?: DataOptions<T>): Data<T> {
  const question = path === null ? null : apiAddress(path, query);
  const [state, setState] = useState<{ data: T | null; of: string | null; error: ApiError | null; loading: boolean }>(
    () => {
      const known = path === null ? null : peek<T>(path, query);
      return { data: known, of: known === null ? null : question, error: null, loading: path !== null };
    },
  );
  const [round, setRound] = useState(0);
  const settings = useRef(options);
  settings.current = options;
  useEffect(() => {
    if (path === null || question === null) {
      setState({ data: null, of: null, error: null, loading: false });
      return undefined;
    }
    let abort: AbortController | null = null;
    let again: ReturnType<typeof setTimeout> | undefined;
    let dirty = false;
    let left = false;
    const ask = async () => {
      if (abort !== null) {
        dirty = true;
        return;
      }
      clearTimeout(again);
      dirty = false;
      const mine = new AbortController();
      abort = mine;
      try {
        const data = await get<T>(path, query, mine.signal);
        if (left) return;
        setState((old) =>
          old.data === data && old.error === null && !old.loading && old.of === question
            ? old
            : { data, of: question, error: null, loading: false },
        );
        const wait = settings.current?.again?.(data) ?? 0;
        if (wait > 0) again = setTimeout(ask, wait);
      } catch (error) {
        if (left || (error instanceof DOMException && error.name === "AbortError")) return;
        setState((old) => ({ ...old, error: asError(error), loading: false }));
      } finally {
        if (abort === mine) abort = null;
      }
      if (dirty && !left) again = setTimeout(ask, 1000);
    };
    setState((old) => {
      const known = old.of === question ? null : peek<T>(path, query);
      return known === null
        ? { ...old, loading: true, error: null }
        : { data: known, of: question, loading: true, error: null };
    });
    void ask();
    const stop =
      settings.current?.live === false
        ? undefined
        : onTick(() => void ask(), settings.current?.live === "all" ? "all" : "store");
    return () => {
      left = true;
      clearTimeout(again);
      stop?.();
      abort?.abort();
    };
  }, [question, round]);
  const retry = useCallback(() => setRound((r) => r + 1), []);
  return {
    data: state.data,
    error: state.error,
    loading: state.loading,
    stale: state.data !== null && state.of !== question,
    retry,
  };
}
