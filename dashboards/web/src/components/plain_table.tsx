// SPDX-License-Identifier: Apache-2.0
// A short table of rows in memory: everything is drawn. For tables below about 200 rows.
import type { ComponentChildren, VNode } from "preact";
import { useState } from "preact/hooks";
import { compareCells } from "../lib/pages";
import { Empty } from "./basics";
import { Column, HeadCell } from "./table_columns";

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
            {props.columns.map((c) => (
              <HeadCell key={c.name} column={c} sort={sort} onSort={setSort} />
            ))}
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
