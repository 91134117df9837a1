// SPDX-License-Identifier: Apache-2.0
// The numbers behind a picture.
import type { VNode } from "preact";
import { number } from "../lib/format";
import type { Cell } from "../lib/types";

/** Numbers behind a picture, for people who do not see it: the first 500 rows. */
export function NumbersTable(props: {
  label: string;
  columns: readonly string[];
  rows: readonly (readonly Cell[])[];
}): VNode {
  return (
    <div class="plain-scroll numbers" tabIndex={0} role="region" aria-label={props.label + ", numbers"}>
      <table class="plain-table">
        <caption class="off-screen">{props.label}</caption>
        <thead>
          <tr>
            {props.columns.map((c) => (
              <th key={c} scope="col">
                {c}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.slice(0, 500).map((row, k) => (
            <tr key={k}>
              {row.map((value, c) => (
                <td key={c} class={typeof value === "number" ? "num" : ""}>
                  {typeof value === "number" ? number(value) : value === null ? "–" : String(value)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {props.rows.length > 500 && <p class="muted">The first 500 of {props.rows.length} rows; CSV has all.</p>}
    </div>
  );
}
