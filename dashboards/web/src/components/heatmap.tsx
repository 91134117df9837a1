// SPDX-License-Identifier: Apache-2.0
// A matrix as colours: a canvas with a tooltip, arrows to move, and the same as a table.
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { diverging, sequential } from "../lib/colours";
import { number } from "../lib/format";
import { paintCanvas, useSize } from "../lib/hooks";
import { Theme, colour, useTheme } from "../lib/theme";
import type { Cell } from "../lib/types";
import { CsvButton } from "./basics";
import { NumbersTable } from "./numbers";
import { placeTip } from "./tip";

export interface HeatmapProps {
  label: string;
  rows: readonly string[];
  columns: readonly string[];
  rowLabel?: string;
  columnLabel?: string;
  /** by row, then by column */
  values: readonly (readonly (number | null)[])[];
  /** ends of the scale; default: 0 and the largest */
  min?: number;
  max?: number;
  scale?: "sequential" | "diverging";
  /** another colour than the scale's; null: the scale's */
  paint?: (row: number, column: number, theme: Theme) => string | null;
  format?: (value: number) => string;
  /** lines of the tooltip under its head */
  describe?: (row: number, column: number) => string[];
  onPick?: (row: number, column: number) => void;
  active?: readonly [number, number] | null;
  rowHeight?: number;
  /** numbers in the cells when they fit */
  numbers?: boolean;
  actions?: ComponentChildren;
  hideScale?: boolean;
}

const FOOT = 34;

export function Heatmap(props: HeatmapProps): VNode {
  const theme = useTheme();
  const [box, size] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<readonly [number, number] | null>(null);
  const [asTable, setAsTable] = useState(false);
  const { rows, columns, values } = props;
  const format = props.format ?? ((v: number) => number(v, 3));
  const rowHeight = props.rowHeight ?? 22;
  const labels = Math.min(
    220,
    Math.max(60, Math.max(0, ...rows.map((r) => r.length)) * 6.8 + 14),
    Math.max(60, size.width * 0.35),
  );
  const width = Math.max(0, size.width - labels - 2);
  const step = columns.length === 0 ? 0 : width / columns.length;
  const height = rows.length * rowHeight + FOOT;
  const all = values.flat().filter((v): v is number => v !== null && Number.isFinite(v));
  const min = props.min ?? Math.min(0, ...all.slice(0, 100000));
  const max = props.max ?? Math.max(min + 1e-9, ...all.slice(0, 100000));
  const paintOf = (v: number) =>
    props.scale === "diverging"
      ? diverging(v / Math.max(Math.abs(min), Math.abs(max), 1e-9), theme)
      : sequential((v - min) / (max - min || 1), theme);

  useEffect(() => {
    paintCanvas(canvas.current, size.width, height, (pen) => {
      const family = getComputedStyle(document.body).fontFamily;
      pen.font = "11.5px " + family;
      pen.textBaseline = "middle";
      const gap = step > 5 ? 1 : 0;
      rows.forEach((row, r) => {
        const y = r * rowHeight;
        pen.fillStyle = colour("--ink-2");
        pen.textAlign = "right";
        pen.fillText(fit(pen, row, labels - 10), labels - 8, y + rowHeight / 2);
        for (let c = 0; c < columns.length; c++) {
          const v = values[r]?.[c];
          pen.fillStyle =
            props.paint?.(r, c, theme) ?? (v === null || v === undefined ? colour("--hatch") : paintOf(v));
          pen.fillRect(labels + c * step, y, step - gap, rowHeight - gap);
          if (props.numbers === true && step > 34 && v !== null && v !== undefined) {
            pen.fillStyle = inkOn(pen.fillStyle);
            pen.textAlign = "center";
            pen.fillText(format(v), labels + (c + 0.5) * step, y + rowHeight / 2, step - 2);
          }
        }
      });
      pen.fillStyle = colour("--ink-2");
      pen.textAlign = "center";
      const widest = Math.max(10, ...columns.map((c) => pen.measureText(c).width)) + 10;
      const every = Math.max(1, Math.ceil(widest / Math.max(1, step)));
      for (let c = 0; c < columns.length; c += every)
        pen.fillText(columns[c] ?? "", labels + (c + 0.5) * step, rows.length * rowHeight + 10);
      if (props.columnLabel !== undefined)
        pen.fillText(props.columnLabel, labels + width / 2, rows.length * rowHeight + 26);
      for (const mark of [props.active, at]) {
        if (mark === null || mark === undefined) continue;
        pen.strokeStyle = mark === at ? colour("--ink") : colour("--accent");
        pen.lineWidth = 2;
        pen.strokeRect(labels + mark[1] * step, mark[0] * rowHeight, Math.max(2, step - gap), rowHeight - gap);
      }
    });
  });

  const show = (cell: readonly [number, number] | null, x?: number, y?: number) => {
    setAt((old) => (old?.[0] === cell?.[0] && old?.[1] === cell?.[1] ? old : cell));
    const element = tip.current;
    if (element === null) return;
    element.hidden = cell === null;
    if (cell === null) return;
    const [r, c] = cell;
    const v = values[r]?.[c];
    const head = document.createElement("div");
    head.className = "tip-head";
    head.textContent =
      `${props.rowLabel ?? ""} ${rows[r] ?? ""} · ${props.columnLabel ?? ""} ${columns[c] ?? ""}`.trim();
    const lines = props.describe?.(r, c) ?? [v === null || v === undefined ? "nothing" : format(v)];
    element.replaceChildren(
      head,
      ...lines.map((line) => {
        const div = document.createElement("div");
        div.textContent = line;
        return div;
      }),
    );
    placeTip(element, x ?? labels + (c + 0.5) * step, y ?? (r + 0.5) * rowHeight);
  };
  const cellAt = (event: MouseEvent): readonly [number, number] | null => {
    const c = Math.floor((event.offsetX - labels) / step);
    const r = Math.floor(event.offsetY / rowHeight);
    return r >= 0 && r < rows.length && c >= 0 && c < columns.length ? [r, c] : null;
  };
  const press = (event: KeyboardEvent) => {
    const [r, c] = at ?? [0, -1];
    const moves: Record<string, readonly [number, number]> = {
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
    };
    const by = moves[event.key];
    if (by !== undefined) {
      event.preventDefault();
      show([Math.max(0, Math.min(rows.length - 1, r + by[0])), Math.max(0, Math.min(columns.length - 1, c + by[1]))]);
    } else if (event.key === "Enter" && at !== null) {
      props.onPick?.(at[0], at[1]);
    } else if (event.key === "Escape") {
      show(null);
    }
  };
  const table = (): { columns: string[]; rows: Cell[][] } => ({
    columns: [props.rowLabel ?? "", ...columns],
    rows: rows.map((row, r): Cell[] => [row, ...columns.map((_, c) => values[r]?.[c] ?? null)]),
  });
  const stops = [0, 0.25, 0.5, 0.75, 1];
  return (
    <figure class="heatmap" aria-label={props.label}>
      <div class="chart-bar">
        {props.hideScale !== true ? (
          <div class="scale" aria-hidden="true">
            <span>{format(min)}</span>
            {stops.map((t) => (
              <i key={t} style={{ background: paintOf(min + (max - min) * t) }} />
            ))}
            <span>{format(max)}</span>
          </div>
        ) : (
          <span />
        )}
        <div class="chart-actions">
          {props.actions}
          <button type="button" class="button small" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            Numbers
          </button>
          <CsvButton name={props.label} table={table} />
        </div>
      </div>
      <div
        class="chart-box"
        ref={box}
        style={{ height: height + "px" }}
        tabIndex={0}
        role="img"
        aria-label={`${props.label}: ${rows.length} by ${columns.length}. Arrow keys move${props.onPick === undefined ? "" : ", Enter opens"}.`}
        onKeyDown={press}
        onBlur={() => show(null)}
      >
        <canvas
          ref={canvas}
          class={props.onPick === undefined ? "" : "picks"}
          onMouseMove={(event) => show(cellAt(event), event.offsetX, event.offsetY)}
          onMouseLeave={() => show(null)}
          onClick={(event) => {
            const cell = cellAt(event);
            if (cell !== null) props.onPick?.(cell[0], cell[1]);
          }}
        />
        <div ref={tip} class="tip" aria-live="polite" hidden />
      </div>
      {asTable && <NumbersTable label={props.label} {...table()} />}
    </figure>
  );
}

/** TEXT cut to WIDTH. */
export function fit(pen: CanvasRenderingContext2D, text: string, width: number): string {
  if (text.length > 300) text = text.slice(0, 300);
  if (pen.measureText(text).width <= width) return text;
  let lo = 0;
  let hi = text.length;
  while (lo < hi) {
    const mid = (lo + hi + 1) >> 1;
    if (pen.measureText(text.slice(0, mid) + "…").width <= width) lo = mid;
    else hi = mid - 1;
  }
  return lo === 0 ? "" : text.slice(0, lo) + "…";
}

/** Black or white, whichever is read better on a colour like "rgb(1, 2, 3)" or "#123456". */
export function inkOn(ground: string | CanvasGradient | CanvasPattern): string {
  if (typeof ground !== "string") return "#000";
  const hex = /^#([0-9a-f]{6})$/i.exec(ground)?.[1];
  const parts =
    hex !== undefined
      ? [0, 2, 4].map((k) => parseInt(hex.slice(k, k + 2), 16))
      : (ground.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);
  const [r = 0, g = 0, b = 0] = parts;
  return r * 0.299 + g * 0.587 + b * 0.114 > 140 ? "#111" : "#fff";
}
