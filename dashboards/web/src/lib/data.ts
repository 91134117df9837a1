// SPDX-License-Identifier: Apache-2.0
// useData(): an answer of the server that is kept fresh while it is shown.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, apiAddress, asError, get, peek } from "./api";
import { onTick } from "./live";
import type { QueryValue } from "./router";

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
