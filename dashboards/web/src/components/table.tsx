// SPDX-License-Identifier: Apache-2.0
// A table of any length: only the rows on the screen exist; the others are pages behind a cursor.
// It is a real table with role=grid: arrows move, Enter opens, Space selects, headers sort.
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { integer } from "../lib/format";
import { useElementId, useLasting, useRemembered } from "../lib/hooks";
import type { Page } from "../lib/pages";
import { ROW, topFor, windowAt } from "../lib/scroll";
import { Empty, ErrorNote } from "./basics";
import { TableBody } from "./table_body";
import { Column, ColumnChooser, columnWidths, HeadCell } from "./table_columns";
import { Source, usePaged } from "./table_rows";

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

const NONE: ReadonlySet<string | number> = new Set();

export function DataTable<Row>(props: TableProps<Row>): VNode {
  const { source, rowKey } = props;
  const id = useElementId("table");
  const scroller = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [room, setRoom] = useState({ width: 0, height: 400 });
  const [cursor, setCursor] = useState(-1);
  const [focused, setFocused] = useState(false);
  const [hidden, setHidden] = useRemembered<string[] | null>("columns." + (props.name ?? props.label), null);
  const range = useRef({ first: 0, last: 1 });
  const toEnd = useRef(false);
  const restart = () => {
    setCursor(-1);
    toEnd.current = false;
    if (scroller.current !== null) scroller.current.scrollTop = 0;
    setTop(0);
  };
  const rows = usePaged(source, props.pageSize ?? 100, range, restart, props.onPage);
  const { length } = rows;
  // A layer of its own for a quick answer would have all of it drawn twice more.
  const pale = useLasting(rows.old, 150);
  const view = windowAt(top, room.height, length);
  const { first, last } = view;
  range.current = { first, last };

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

  const isHidden = (c: Column<Row>) =>
    c.fixed !== true && (hidden === null ? c.shown === false : hidden.includes(c.name));
  const shown = useMemo(() => props.columns.filter((c) => !isHidden(c)), [props.columns, hidden]);
  const widths = columnWidths(shown, room.width - (props.onSelect === undefined ? 0 : 36));
  const whole = widths.reduce((a, b) => a + b, 0) + (props.onSelect === undefined ? 0 : 36);

  const reveal = (k: number) => {
    const box = scroller.current;
    if (box !== null) box.scrollTop = topFor(k, box.scrollTop, box.clientHeight, length);
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
  // The end of a list that only knows its next page is where no page follows.
  useEffect(() => {
    if (!toEnd.current) return;
    if (cursor !== length - 1) move(length - 1);
    if (rows.ended || rows.error !== null) toEnd.current = false;
  });
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
    const row = cursor >= 0 ? rows.at(cursor) : undefined;
    const before = toEnd.current;
    toEnd.current = false;
    if (event.key === "ArrowDown" || event.key === "j") move(cursor + 1);
    else if (event.key === "ArrowUp" || event.key === "k") move(cursor < 0 ? 0 : cursor - 1);
    else if (event.key === "PageDown") move(cursor + screen);
    else if (event.key === "PageUp") move(cursor - screen);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") {
      toEnd.current = !rows.ended;
      move(length - 1);
    }
    else if (event.key === "Enter" && row !== undefined && props.onOpen !== undefined) props.onOpen(row);
    else if (event.key === " " && row !== undefined && props.onSelect !== undefined) toggle(row);
    else {
      toEnd.current = before;
      return;
    }
    event.preventDefault();
  };

  const { matched, total } = rows;
  const fillHeight = props.height === "fill" || props.height === undefined;
  return (
    <div class="data-table">
      {(props.toolbar !== undefined || props.chooser !== false) && (
        <div class="table-bar">
          <div class="table-tools">{props.toolbar}</div>
          <span class="table-count" aria-live="polite">
            {matched === null
              ? " "
              : total !== null && total !== matched
                ? `${integer(matched)} of ${integer(total)} ${props.what ?? "rows"}`
                : `${integer(matched)} ${props.what ?? "rows"}`}
          </span>
          {props.chooser !== false && (
            <ColumnChooser columns={props.columns} isHidden={isHidden} onChange={setHidden} />
          )}
        </div>
      )}
      {rows.error !== null && <ErrorNote error={rows.error} retry={rows.retry} />}
      <div
        ref={scroller}
        class={"table-scroll" + (fillHeight ? " fill" : "") + (pale ? " stale" : "")}
        style={
          fillHeight
            ? undefined
            : { height: Math.min(Number(props.height), (Math.max(length, 1) + 1) * ROW + 4) + "px" }
        }
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
        onWheel={() => {
          toEnd.current = false;
        }}
      >
        <table
          role="grid"
          class="grid"
          aria-label={props.label}
          aria-rowcount={matched === null ? -1 : matched + 1}
          aria-colcount={shown.length}
          aria-multiselectable={props.onSelect !== undefined}
          aria-activedescendant={focused && cursor >= first && cursor < last ? id + "-" + cursor : undefined}
          aria-busy={rows.old}
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
              {shown.map((c) => (
                <HeadCell key={c.name} column={c} sort={props.sort} onSort={props.onSort} />
              ))}
            </tr>
          </thead>
          <TableBody
            id={id}
            view={view}
            rows={rows}
            rowKey={rowKey}
            columns={shown}
            cursor={focused ? cursor : -1}
            active={props.active}
            selection={props.onSelect === undefined ? undefined : (props.selection ?? NONE)}
            rowTone={props.rowTone}
            opens={props.onOpen !== undefined}
            onOpen={(row, k) => {
              setCursor(k);
              props.onOpen?.(row);
            }}
            onSelect={toggle}
          />
        </table>
        {rows.none && rows.error === null && (props.empty ?? <Empty title="Nothing here" />)}
      </div>
    </div>
  );
}
