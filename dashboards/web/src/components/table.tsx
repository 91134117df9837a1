// SPDX-License-Identifier: Apache-2.0
// A table of any length: only the rows on the screen exist; the others are pages behind a cursor.
// It is a real table with role=grid: arrows move, Enter opens, Space selects, headers sort.
import type { ComponentChildren, VNode } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError, asError } from "../lib/api";
import { integer } from "../lib/format";
import { useElementId, useRemembered } from "../lib/hooks";
import { onTick } from "../lib/live";
import { Page, Pages, compareCells, slicePage } from "../lib/pages";
import { Empty, ErrorNote, Popover } from "./basics";

export interface Column<Row> {
  /** name, unique; what `sort` and the chooser say */
  name: string;
  title?: string;
  /** said on hover */
  hint?: string;
  type?: "number" | "text";
  /** CSS pixels; texts share what is left in proportion */
  width?: number;
  /** can be sorted by (the server's or the rows' `value`) */
  sort?: boolean;
  /** first click on the header: descending (for measures); default: numbers descending */
  descendingFirst?: boolean;
  render: (row: Row) => ComponentChildren;
  /** for sorting in the page, and for copying */
  value?: (row: Row) => string | number | boolean | null | undefined;
  /** shown unless the reader chose; default true */
  shown?: boolean;
  /** cannot be hidden */
  fixed?: boolean;
}

export interface Source<Row> {
  /** equal texts are equal questions; another text starts from the top */
  key: string;
  load: (after: string | null, limit: number, signal: AbortSignal) => Promise<Page<Row>>;
  live?: boolean;
}

export interface TableProps<Row> {
  /** accessible name; also names what the browser remembers (column choice) */
  label: string;
  name?: string;
  columns: Column<Row>[];
  source: Source<Row>;
  rowKey: (row: Row) => string | number;
  /** "-accuracy" or "accuracy" */
  sort?: string | null;
  onSort?: (sort: string) => void;
  /** Enter or click on a row */
  onOpen?: (row: Row) => void;
  /** marks the row that is shown beside */
  active?: string | number | null;
  selection?: ReadonlySet<string | number>;
  onSelect?: (keys: Set<string | number>) => void;
  /** CSS height of the scrolling part: a number of pixels, or "fill" (what the window has left) */
  height?: number | "fill";
  pageSize?: number;
  empty?: ComponentChildren;
  /** left of the count: filters, actions */
  toolbar?: ComponentChildren;
  /** in the line of counts */
  what?: string;
  chooser?: boolean;
  rowTone?: (row: Row) => string | undefined;
  /** called with each page: the matched and all rows */
  onPage?: (page: Page<Row>) => void;
}

const ROW = 30;
const OVERSCAN = 8;

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
  pages: Pages<Row>;
}

export function DataTable<Row>(props: TableProps<Row>): VNode {
  const { source, rowKey } = props;
  const size = props.pageSize ?? 100;
  const id = useElementId("table");
  const scroller = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [room, setRoom] = useState({ width: 0, height: 400 });
  const [cursor, setCursor] = useState(-1);
  const [focused, setFocused] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const [, redraw] = useState(0);
  const held = useRef<Held<Row>>({ key: source.key, pages: new Pages<Row>(size) });
  const old = useRef<Pages<Row> | null>(null);
  const [hidden, setHidden] = useRemembered<string[] | null>("columns." + (props.name ?? props.label), null);

  const instant = (source as { now?: readonly Row[] }).now;
  if (held.current.key !== source.key) {
    old.current = held.current.pages.empty ? old.current : held.current.pages;
    held.current = { key: source.key, pages: new Pages<Row>(size) };
  }
  const mine = held.current.pages;
  const pages = mine.empty && old.current !== null ? old.current : mine;
  const dimmed = pages !== mine;
  const length = instant?.length ?? pages.height;
  const rowAt = (k: number): Row | undefined => (instant !== undefined ? instant[k] : pages.row(k));

  const first = Math.max(0, Math.floor(top / ROW) - OVERSCAN);
  const last = Math.min(length, Math.ceil((top + room.height) / ROW) + OVERSCAN);

  const asking = useRef<AbortController | null>(null);
  const range = useRef({ first, last });
  range.current = { first, last };
  const sourceNow = useRef(source);
  sourceNow.current = source;
  const onPage = useRef(props.onPage);
  onPage.current = props.onPage;

  const fill = useCallback(() => {
    const from = sourceNow.current;
    if ((from as { now?: unknown }).now !== undefined || asking.current !== null) return;
    const into = held.current;
    if (into.key !== from.key) return;
    const { first: lo, last: hi } = range.current;
    const ask = into.pages.wanted(into.pages.empty ? 0 : lo, into.pages.empty ? 1 : hi);
    if (ask === null) return;
    const abort = new AbortController();
    asking.current = abort;
    from.load(ask.after, size, abort.signal).then(
      (page) => {
        if (asking.current === abort) asking.current = null;
        if (held.current !== into) return;
        into.pages.put(ask.page, ask.after, page);
        old.current = null;
        setError(null);
        onPage.current?.(page);
        redraw((n) => n + 1);
      },
      (wrong: unknown) => {
        if (asking.current === abort) asking.current = null;
        if (abort.signal.aborted || held.current !== into) return;
        setError(asError(wrong));
      },
    );
  }, [size]);

  useEffect(() => {
    asking.current?.abort();
    asking.current = null;
    setError(null);
    setCursor(-1);
    if (scroller.current !== null) scroller.current.scrollTop = 0;
    setTop(0);
    fill();
  }, [source.key]);
  useEffect(() => {
    if (error === null) fill();
  });
  useEffect(() => {
    if (source.live === false) return undefined;
    return onTick(() => {
      held.current.pages.age();
      fill();
    });
  }, [source.key, source.live]);
  useEffect(() => () => asking.current?.abort(), []);

  useLayoutEffect(() => {
    const box = scroller.current;
    if (box === null) return undefined;
    const measure = () =>
      setRoom((r) =>
        r.width === box.clientWidth && r.height === box.clientHeight
          ? r
          : { width: box.clientWidth, height: box.clientHeight },
      );
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    return () => observer.disconnect();
  }, []);

  // A long table is one stop of Tab; arrows and Enter go on from there.
  useLayoutEffect(() => {
    if (props.onOpen === undefined) return;
    for (const one of scroller.current?.querySelectorAll<HTMLElement>("tbody a[href], tbody button") ?? [])
      one.tabIndex = -1;
  });

  const isHidden = (c: Column<Row>) =>
    c.fixed !== true && (hidden === null ? c.shown === false : hidden.includes(c.name));
  const shown = props.columns.filter((c) => !isHidden(c));
  const widths = columnWidths(shown, room.width - (props.onSelect === undefined ? 0 : 36));
  const whole = widths.reduce((a, b) => a + b, 0) + (props.onSelect === undefined ? 0 : 36);

  const reveal = (k: number) => {
    const box = scroller.current;
    if (box === null) return;
    const head = ROW + 2;
    if (k * ROW < box.scrollTop) box.scrollTop = k * ROW;
    else if ((k + 1) * ROW + head > box.scrollTop + box.clientHeight)
      box.scrollTop = (k + 1) * ROW + head - box.clientHeight;
  };
  const move = (k: number) => {
    const to = Math.max(0, Math.min(length - 1, k));
    wish.current = to;
    setCursor(to);
    if (to === cursor) reveal(to);
  };
  // Behind the drawing: what is drawn then may be another height.
  const wish = useRef(-1);
  useLayoutEffect(() => {
    if (wish.current >= 0) reveal(wish.current);
    wish.current = -1;
  }, [cursor]);
  const toggle = (row: Row) => {
    if (props.onSelect === undefined) return;
    const keys = new Set(props.selection);
    const key = rowKey(row);
    if (keys.has(key)) keys.delete(key);
    else keys.add(key);
    props.onSelect(keys);
  };
  const press = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const screen = Math.max(1, Math.floor(room.height / ROW) - 2);
    const row = cursor >= 0 ? rowAt(cursor) : undefined;
    if (event.key === "ArrowDown" || event.key === "j") move(cursor + 1);
    else if (event.key === "ArrowUp" || event.key === "k") move(cursor < 0 ? 0 : cursor - 1);
    else if (event.key === "PageDown") move(cursor + screen);
    else if (event.key === "PageUp") move(cursor - screen);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(length - 1);
    else if (event.key === "Enter" && row !== undefined && props.onOpen !== undefined) props.onOpen(row);
    else if (event.key === " " && row !== undefined && props.onSelect !== undefined) toggle(row);
    else return;
    event.preventDefault();
  };

  const sorted = props.sort?.replace(/^-/, "");
  const descending = props.sort?.startsWith("-") === true;
  const header = (c: Column<Row>) => {
    const now = c.name === sorted ? (descending ? "descending" : "ascending") : undefined;
    const title = c.title ?? c.name;
    const body =
      c.sort === true && props.onSort !== undefined ? (
        <button
          type="button"
          class="sort"
          onClick={() => {
            const firstDown = c.descendingFirst ?? c.type === "number";
            const down = now === undefined ? firstDown : now === "ascending";
            props.onSort?.((down ? "-" : "") + c.name);
          }}
        >
          <span class="sort-name">{title}</span>
          <span class="sort-mark" aria-hidden="true">
            {now === undefined ? "" : descending ? "▾" : "▴"}
          </span>
        </button>
      ) : (
        <span class="sort-name">{title}</span>
      );
    return (
      <th
        key={c.name}
        scope="col"
        class={c.type === "number" ? "num" : ""}
        aria-sort={now ?? (c.sort === true ? "none" : undefined)}
        title={c.hint ?? title}
      >
        {body}
      </th>
    );
  };

  const visible: VNode[] = [];
  for (let k = first; k < last; k++) {
    const row = rowAt(k);
    if (row === undefined) {
      visible.push(
        <tr key={"gap " + k} class="gap" aria-rowindex={k + 2}>
          <td colSpan={shown.length + (props.onSelect === undefined ? 0 : 1)}>
            <span class="bone bone-1" aria-hidden="true" />
          </td>
        </tr>,
      );
      continue;
    }
    const key = rowKey(row);
    const selected = props.selection?.has(key) === true;
    const classes = [
      k === cursor && focused ? "cursor" : "",
      key === props.active ? "active" : "",
      selected ? "selected" : "",
      props.onOpen === undefined ? "" : "opens",
      props.rowTone?.(row) ?? "",
    ];
    visible.push(
      <tr
        key={key}
        id={id + "-" + k}
        aria-rowindex={k + 2}
        aria-selected={props.onSelect === undefined ? undefined : selected}
        class={classes.filter((c) => c !== "").join(" ")}
        onClick={(event) => {
          if (event.target instanceof Element && event.target.closest("a, button, input, label") !== null) return;
          if ((getSelection()?.toString() ?? "") !== "") return;
          setCursor(k);
          props.onOpen?.(row);
        }}
      >
        {props.onSelect !== undefined && (
          <td class="pick">
            <input
              type="checkbox"
              tabIndex={-1}
              checked={selected}
              aria-label={"Select row " + (k + 1)}
              onChange={() => toggle(row)}
            />
          </td>
        )}
        {shown.map((c) => (
          <td key={c.name} class={c.type === "number" ? "num" : ""}>
            {c.render(row)}
          </td>
        ))}
      </tr>,
    );
  }

  const matched = instant?.length ?? pages.matched;
  const all = instant?.length ?? pages.total;
  const fillHeight = props.height === "fill" || props.height === undefined;
  const nothing = instant !== undefined ? instant.length === 0 : !mine.empty && length === 0;
  return (
    <div class={"data-table" + (dimmed ? " stale" : "")}>
      {(props.toolbar !== undefined || props.chooser !== false) && (
        <div class="table-bar">
          <div class="table-tools">{props.toolbar}</div>
          <span class="table-count" aria-live="polite">
            {matched === null || matched === undefined
              ? " "
              : all !== null && all !== undefined && all !== matched
                ? `${integer(matched)} of ${integer(all)} ${props.what ?? "rows"}`
                : `${integer(matched)} ${props.what ?? "rows"}`}
          </span>
          {props.chooser !== false && (
            <ColumnChooser columns={props.columns} isHidden={isHidden} onChange={setHidden} />
          )}
        </div>
      )}
      {error !== null && (
        <ErrorNote
          error={error}
          retry={() => {
            setError(null);
            fill();
          }}
        />
      )}
      <div
        ref={scroller}
        class={"table-scroll" + (fillHeight ? " fill" : "")}
        style={
          fillHeight
            ? undefined
            : { height: Math.min(Number(props.height), (Math.max(length, 1) + 1) * ROW + 4) + "px" }
        }
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      >
        <table
          role="grid"
          class="grid"
          aria-label={props.label}
          aria-rowcount={matched === null || matched === undefined ? -1 : matched + 1}
          aria-colcount={shown.length}
          aria-multiselectable={props.onSelect !== undefined}
          aria-activedescendant={focused && cursor >= first && cursor < last ? id + "-" + cursor : undefined}
          aria-busy={dimmed}
          tabIndex={0}
          style={{ width: Math.max(whole, room.width) + "px" }}
          onKeyDown={press}
          onFocus={(event) => {
            if (event.target !== event.currentTarget) return;
            setFocused(true);
            if (cursor < 0 && length > 0) setCursor(0);
          }}
          onBlur={() => setFocused(false)}
        >
          <colgroup>
            {props.onSelect !== undefined && <col style={{ width: "36px" }} />}
            {shown.map((c, k) => (
              <col key={c.name} style={{ width: (widths[k] ?? 100) + "px" }} />
            ))}
          </colgroup>
          <thead>
            <tr aria-rowindex={1}>
              {props.onSelect !== undefined && (
                <th scope="col" class="pick">
                  <span class="off-screen">Selected</span>
                </th>
              )}
              {shown.map(header)}
            </tr>
          </thead>
          <tbody>
            {first > 0 && <Space key="above" height={first * ROW} />}
            {visible}
            {last < length && <Space key="below" height={(length - last) * ROW} />}
          </tbody>
        </table>
        {nothing && error === null && (props.empty ?? <Empty title="Nothing here" />)}
      </div>
    </div>
  );
}

function Space(props: { height: number }): VNode {
  return (
    <tr aria-hidden="true" class="space" style={{ height: props.height + "px" }}>
      <td />
    </tr>
  );
}

function columnWidths<Row>(columns: Column<Row>[], room: number): number[] {
  const widths = columns.map((c) =>
    Math.max(
      c.width ?? (c.type === "number" ? 104 : 150),
      Math.min(220, (c.title ?? c.name).length * 7.6 + (c.sort === true ? 32 : 22)),
    ),
  );
  const used = widths.reduce((a, b) => a + b, 0);
  const texts = columns.map((c, k) => (c.type === "number" ? 0 : (widths[k] ?? 0)));
  const share = texts.reduce((a, b) => a + b, 0);
  const left = room - used;
  if (left <= 0) return widths;
  if (share === 0) return widths.map((w) => w + left / Math.max(1, columns.length));
  return widths.map((w, k) => w + (left * (texts[k] ?? 0)) / share);
}

function ColumnChooser<Row>(props: {
  columns: Column<Row>[];
  isHidden: (c: Column<Row>) => boolean;
  onChange: (hidden: string[] | null) => void;
}): VNode {
  const [find, setFind] = useState("");
  const listed = props.columns.filter((c) => (c.title ?? c.name).toLowerCase().includes(find.toLowerCase()));
  return (
    <Popover label="Columns" title="Choose columns">
      <div class="chooser">
        {props.columns.length > 12 && (
          <input
            type="search"
            aria-label="Find a column"
            placeholder="Find a column"
            value={find}
            onInput={(event) => setFind(event.currentTarget.value)}
          />
        )}
        <ul class="chooser-list">
          {listed.map((c) => (
            <li key={c.name}>
              <label>
                <input
                  type="checkbox"
                  checked={!props.isHidden(c)}
                  disabled={c.fixed === true}
                  onChange={() => {
                    const hidden = new Set(props.columns.filter(props.isHidden).map((h) => h.name));
                    if (hidden.has(c.name)) hidden.delete(c.name);
                    else hidden.add(c.name);
                    props.onChange([...hidden]);
                  }}
                />
                {c.title ?? c.name}
              </label>
            </li>
          ))}
        </ul>
        <button type="button" class="button small" onClick={() => props.onChange(null)}>
          As at first
        </button>
      </div>
    </Popover>
  );
}

/** A short table of rows in memory: everything is drawn. For tables below about 200 rows. */
export function PlainTable<Row>(props: {
  label: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row, k: number) => string | number;
  rowTone?: (row: Row) => string | undefined;
  sort?: string;
  empty?: ComponentChildren;
  caption?: ComponentChildren;
}): VNode {
  const [sort, setSort] = useState(props.sort ?? "");
  const name = sort.replace(/^-/, "");
  const value = props.columns.find((c) => c.name === name)?.value;
  const rows =
    value === undefined
      ? props.rows
      : [...props.rows].sort((a, b) => compareCells(value(a), value(b), sort.startsWith("-")));
  return (
    <div class="plain-scroll" tabIndex={0} role="region" aria-label={props.label}>
      <table class="plain-table">
        <caption class={props.caption === undefined ? "off-screen" : ""}>{props.caption ?? props.label}</caption>
        <thead>
          <tr>
            {props.columns.map((c) => {
              const now = c.name === name ? (sort.startsWith("-") ? "descending" : "ascending") : undefined;
              return (
                <th
                  key={c.name}
                  scope="col"
                  class={c.type === "number" ? "num" : ""}
                  title={c.hint}
                  aria-sort={c.sort === true ? (now ?? "none") : undefined}
                >
                  {c.sort === true ? (
                    <button
                      type="button"
                      class="sort"
                      onClick={() =>
                        setSort(
                          now === undefined
                            ? (c.type === "number" ? "-" : "") + c.name
                            : now === "ascending"
                              ? "-" + c.name
                              : c.name,
                        )
                      }
                    >
                      <span class="sort-name">{c.title ?? c.name}</span>
                      <span class="sort-mark" aria-hidden="true">
                        {now === undefined ? "" : now === "descending" ? "▾" : "▴"}
                      </span>
                    </button>
                  ) : (
                    (c.title ?? c.name)
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, k) => (
            <tr key={props.rowKey(row, k)} class={props.rowTone?.(row)}>
              {props.columns.map((c) => (
                <td key={c.name} class={c.type === "number" ? "num" : ""}>
                  {c.render(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length === 0 && (props.empty ?? <Empty title="Nothing here" />)}
    </div>
  );
}
