// SPDX-License-Identifier: Apache-2.0
// Where the rows of a table come from: from memory, or page by page from the server as they are seen.
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError, asError } from "../lib/api";
import { FarPages } from "../lib/far_pages";
import { onTick } from "../lib/live";
import { Page, Pages, compareCells, slicePage } from "../lib/pages";
import type { Column } from "./table_columns";

export interface Source<Row> {
  /** equal texts are equal questions; another text starts from the top */
  key: string;
  /** behind the cursor AFTER, or behind SKIP rows (only when `far`) */
  load: (after: string | null, limit: number, signal: AbortSignal, skip: number) => Promise<Page<Row>>;
  live?: boolean;
  /** any page can be asked, not only the next */
  far?: boolean;
}

/** Rows in memory, sorted here. */
export function useRows<Row>(
  rows: readonly Row[],
  columns: Column<Row>[],
  sort: string | null | undefined,
): Source<Row> {
  const version = useRef({ rows, n: 0 });
  if (version.current.rows !== rows) version.current = { rows, n: version.current.n + 1 };
  const n = version.current.n;
  return useMemo(() => {
    const descending = sort?.startsWith("-") === true;
    const name = sort?.replace(/^-/, "");
    const value = columns.find((c) => c.name === name)?.value;
    const ordered = value === undefined ? rows : [...rows].sort((a, b) => compareCells(value(a), value(b), descending));
    return {
      key: "rows " + (sort ?? ""),
      live: false,
      version: n,
      load: (after: string | null, limit: number) => Promise.resolve(slicePage(ordered, after, limit)),
      now: ordered,
    } as Source<Row>;
  }, [n, sort]);
}

interface Held<Row> {
  key: string;
  pages: Pages<Row> | FarPages<Row>;
}

export interface Rows<Row> {
  length: number;
  at: (k: number) => Row | undefined;
  /** rows that the question has, and all; null: not known */
  matched: number | null;
  total: number | null;
  /** these are the rows of the question before */
  old: boolean;
  /** there is nothing to show, for certain */
  none: boolean;
  /** behind the last row there are none */
  ended: boolean;
  error: ApiError | null;
  retry: () => void;
}

/** The rows of SOURCE; those in RANGE are asked for, one page at a time. RESTART is called when the
 * question changes. */
export function usePaged<Row>(
  source: Source<Row>,
  size: number,
  range: { current: { first: number; last: number } },
  restart: () => void,
  onPage?: (page: Page<Row>) => void,
): Rows<Row> {
  const make = () => (source.far === true ? new FarPages<Row>(size) : new Pages<Row>(size));
  const [error, setError] = useState<ApiError | null>(null);
  const [, redraw] = useState(0);
  const held = useRef<Held<Row> | null>(null);
  held.current ??= { key: source.key, pages: make() };
  const old = useRef<Held<Row>["pages"] | null>(null);
  if (held.current.key !== source.key) {
    old.current = held.current.pages.empty ? old.current : held.current.pages;
    held.current = { key: source.key, pages: make() };
  }
  const instant = (source as { now?: readonly Row[] }).now;
  const mine = held.current.pages;
  const pages = mine.empty && old.current !== null ? old.current : mine;
  const asking = useRef<AbortController | null>(null);
  const now = useRef({ source, onPage });
  now.current = { source, onPage };

  const fill = useCallback(() => {
    const from = now.current.source;
    const into = held.current;
    if ((from as { now?: unknown }).now !== undefined || asking.current !== null) return;
    if (into === null || into.key !== from.key) return;
    const { first: lo, last: hi } = range.current;
    const ask = into.pages.wanted(into.pages.empty ? 0 : lo, into.pages.empty ? 1 : hi);
    if (ask === null) return;
    const abort = new AbortController();
    asking.current = abort;
    from.load(ask.after, size, abort.signal, ask.skip).then(
      (page) => {
        if (asking.current === abort) asking.current = null;
        if (held.current !== into) return;
        into.pages.put(ask, page);
        old.current = null;
        setError(null);
        now.current.onPage?.(page);
        redraw((n) => n + 1);
      },
      (wrong: unknown) => {
        if (asking.current === abort) asking.current = null;
        if (abort.signal.aborted || held.current !== into) return;
        setError(asError(wrong));
      },
    );
  }, [size]);

  // Before the frame: while it is drawn, the answer comes.
  useLayoutEffect(() => {
    asking.current?.abort();
    asking.current = null;
    setError(null);
    restart();
    fill();
  }, [source.key]);
  useEffect(() => {
    if (error === null) fill();
  });
  useEffect(() => {
    if (source.live === false) return undefined;
    return onTick(() => {
      held.current?.pages.age();
      fill();
    });
  }, [source.key, source.live]);
  useEffect(() => () => asking.current?.abort(), []);

  const length = instant?.length ?? pages.height;
  return {
    length,
    at: (k) => (instant !== undefined ? instant[k] : pages.row(k)),
    matched: instant?.length ?? pages.matched,
    total: instant?.length ?? pages.total,
    old: pages !== mine,
    none: instant !== undefined ? instant.length === 0 : !mine.empty && length === 0,
    ended: instant !== undefined || pages.ended,
    error,
    retry: () => {
      setError(null);
      fill();
    },
  };
}
