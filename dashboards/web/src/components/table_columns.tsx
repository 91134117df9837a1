// SPDX-License-Identifier: Apache-2.0
// Columns of a table: what they are, how wide, which are shown.
import type { ComponentChildren, VNode } from "preact";
import { useState } from "preact/hooks";
import { Popover } from "./basics";

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

export function columnWidths<Row>(columns: Column<Row>[], room: number): number[] {
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

export function ColumnChooser<Row>(props: {
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

/** The head of a column; a button when rows can be sorted by it. */
export function HeadCell<Row>(props: {
  column: Column<Row>;
  sort: string | null | undefined;
  onSort: ((sort: string) => void) | undefined;
}): VNode {
  const { column: c, onSort } = props;
  const descending = props.sort?.startsWith("-") === true;
  const now = c.name === props.sort?.replace(/^-/, "") ? (descending ? "descending" : "ascending") : undefined;
  const title = c.title ?? c.name;
  const sortBy = () => {
    const down = now === undefined ? (c.descendingFirst ?? c.type === "number") : now === "ascending";
    onSort?.((down ? "-" : "") + c.name);
  };
  return (
    <th
      scope="col"
      class={c.type === "number" ? "num" : ""}
      aria-sort={now ?? (c.sort === true ? "none" : undefined)}
      title={c.hint ?? title}
    >
      {c.sort === true && onSort !== undefined ? (
        <button type="button" class="sort" onClick={sortBy}>
          <span class="sort-name">{title}</span>
          <span class="sort-mark" aria-hidden="true">
            {now === undefined ? "" : descending ? "▾" : "▴"}
          </span>
        </button>
      ) : (
        <span class="sort-name">{title}</span>
      )}
    </th>
  );
}
