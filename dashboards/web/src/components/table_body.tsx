// SPDX-License-Identifier: Apache-2.0
// The rows of a table that are on the screen. A row is drawn anew only when it or the way it is shown
// changed, in the element of a row that went: a thousand cells in another order are a thousand texts.
import type { VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Window } from "../lib/scroll";
import { Slots, slotsFor } from "../lib/slots";
import type { Column } from "./table_columns";
import type { Rows } from "./table_rows";

type Key = string | number;

interface Props<Row> {
  /** of the table: rows are ID-0, ID-1, ... */
  id: string;
  view: Window;
  rows: Rows<Row>;
  rowKey: (row: Row) => Key;
  /** those shown; the same list as long as they draw the same */
  columns: Column<Row>[];
  /** the row that the keyboard is at; -1: none */
  cursor: number;
  active: Key | null | undefined;
  /** undefined: rows cannot be selected */
  selection: ReadonlySet<Key> | undefined;
  rowTone: ((row: Row) => string | undefined) | undefined;
  opens: boolean;
  onOpen: (row: Row, k: number) => void;
  onSelect: (row: Row) => void;
}

/** A row as it was drawn last. */
interface Drawn<Row> {
  row: Row;
  k: number;
  columns: Column<Row>[];
  selected: boolean | undefined;
  classes: string;
  vnode: VNode;
}

function draw<Row>(id: string, slot: number, d: Omit<Drawn<Row>, "vnode">): VNode {
  return (
    <tr key={slot} id={id + "-" + d.k} aria-rowindex={d.k + 2} aria-selected={d.selected} class={d.classes}>
      {d.selected !== undefined && (
        <td class="pick">
          <input type="checkbox" tabIndex={-1} checked={d.selected} aria-label={"Select row " + (d.k + 1)} />
        </td>
      )}
      {d.columns.map((c) => (
        <td key={c.name} class={c.type === "number" ? "num" : ""}>
          {c.render(d.row)}
        </td>
      ))}
    </tr>
  );
}

export function TableBody<Row>(props: Props<Row>): VNode {
  const { id, rows, rowKey, columns, selection } = props;
  const { first, last, above, below } = props.view;
  const body = useRef<HTMLTableSectionElement>(null);
  const slots = useRef<Slots<Key>>(new Map());
  const drawn = useRef(new Map<number, Drawn<Row>>());

  // A long table is one stop of Tab; arrows and Enter go on from there.
  useLayoutEffect(() => {
    if (!props.opens) return;
    for (const one of body.current?.querySelectorAll<HTMLElement>("a[href], button") ?? [])
      if (one.tabIndex !== -1) one.tabIndex = -1;
  });

  const there: Row[] = [];
  for (let k = first; k < last; k++) {
    const row = rows.at(k);
    if (row !== undefined) there.push(row);
  }
  slots.current = slotsFor(slots.current, there.map(rowKey));

  const before = drawn.current;
  const now = new Map<number, Drawn<Row>>();
  const rowAt = (k: number, row: Row): VNode => {
    const key = rowKey(row);
    const slot = slots.current.get(key) ?? -1;
    const selected = selection?.has(key);
    const classes = [
      k === props.cursor ? "cursor" : "",
      key === props.active ? "active" : "",
      selected === true ? "selected" : "",
      props.opens ? "opens" : "",
      props.rowTone?.(row) ?? "",
    ]
      .filter((c) => c !== "")
      .join(" ");
    const was = before.get(slot);
    const same =
      was !== undefined &&
      was.row === row &&
      was.k === k &&
      was.columns === columns &&
      was.selected === selected &&
      was.classes === classes;
    const d = { row, k, columns, selected, classes };
    const one = same ? was : { ...d, vnode: draw(id, slot, d) };
    now.set(slot, one);
    return one.vnode;
  };
  const visible: VNode[] = [];
  for (let k = first; k < last; k++) {
    const row = rows.at(k);
    visible.push(
      row === undefined ? (
        <Gap key={"gap " + k} k={k} span={columns.length + (selection === undefined ? 0 : 1)} />
      ) : (
        rowAt(k, row)
      ),
    );
  }
  drawn.current = now;

  /** The row that the event happened in. */
  const rowOf = (event: Event): { row: Row; k: number } | null => {
    const at = event.target instanceof Element ? event.target.closest("tr")?.getAttribute("aria-rowindex") : null;
    const k = Number(at) - 2;
    const row = at === null || at === undefined ? undefined : rows.at(k);
    return row === undefined ? null : { row, k };
  };
  return (
    <tbody
      ref={body}
      onClick={(event) => {
        if (event.target instanceof Element && event.target.closest("a, button, input, label") !== null) return;
        if ((getSelection()?.toString() ?? "") !== "") return;
        const at = rowOf(event);
        if (at !== null) props.onOpen(at.row, at.k);
      }}
      onChange={(event) => {
        const at = event.target instanceof Element && event.target.closest("td.pick") !== null ? rowOf(event) : null;
        if (at !== null) props.onSelect(at.row);
      }}
    >
      {above > 0 && <Space key="above" height={above} />}
      {visible}
      {below > 0 && <Space key="below" height={below} />}
    </tbody>
  );
}

/** Where a row will be that is not here yet. */
function Gap(props: { k: number; span: number }): VNode {
  return (
    <tr class="gap" aria-rowindex={props.k + 2}>
      <td colSpan={props.span}>
        <span class="bone bone-1" aria-hidden="true" />
      </td>
    </tr>
  );
}

function Space(props: { height: number }): VNode {
  return (
    <tr aria-hidden="true" class="space" style={{ height: props.height + "px" }}>
      <td />
    </tr>
  );
}
