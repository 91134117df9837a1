// SPDX-License-Identifier: Apache-2.0
// Points of two measures with their Pareto front: colour by group, a tooltip, zoom by dragging,
// a click opens the point.
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { seriesColour, withAlpha } from "../lib/colours";
import { download, fileName } from "../lib/export";
import { compact, number, ticks } from "../lib/format";
import { paintCanvas, useSize } from "../lib/hooks";
import { colour, useTheme } from "../lib/theme";
import { CsvButton } from "./basics";
import { NumbersTable } from "./numbers";
import { withLegend } from "./picture";
import { placeTip } from "./tip";

export interface ScatterPoint {
  id: number;
  x: number;
  y: number;
  /** place in `groups`; null: none */
  group: number | null;
}

export interface ScatterProps {
  label: string;
  points: readonly ScatterPoint[];
  groups: readonly string[];
  /** joined by a line of steps, in order of x */
  front?: readonly ScatterPoint[];
  xLabel: string;
  yLabel: string;
  xFormat?: (x: number) => string;
  yFormat?: (y: number) => string;
  xLog?: boolean;
  height?: number;
  onPick?: (point: ScatterPoint) => void;
  /** further lines of the tooltip */
  describe?: (point: ScatterPoint) => string[];
  note?: ComponentChildren;
  actions?: ComponentChildren;
}

interface Range {
  x: [number, number];
  y: [number, number];
}

const LEFT = 62;
const FOOT = 42;
const TOP = 10;
const RIGHT = 14;

export function Scatter(props: ScatterProps): VNode {
  const theme = useTheme();
  const [box, size] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const [off, setOff] = useState<ReadonlySet<number>>(new Set());
  const [zoom, setZoom] = useState<Range | null>(null);
  const [drag, setDrag] = useState<{ x: number; y: number; x2: number; y2: number } | null>(null);
  const [at, setAt] = useState<ScatterPoint | null>(null);
  const [asTable, setAsTable] = useState(false);
  const height = props.height ?? 420;
  const width = size.width;
  const shown = useMemo(() => props.points.filter((p) => p.group === null || !off.has(p.group)), [props.points, off]);
  const range = useMemo<Range>(
    () =>
      zoom ?? {
        x: spread(
          shown.map((p) => p.x),
          props.xLog === true,
        ),
        y: spread(
          shown.map((p) => p.y),
          false,
        ),
      },
    [shown, zoom, props.xLog],
  );
  const tx = (v: number) => (props.xLog === true ? Math.log10(Math.max(v, 1e-300)) : v);
  const x = (v: number) =>
    LEFT + ((tx(v) - tx(range.x[0])) / (tx(range.x[1]) - tx(range.x[0]) || 1)) * (width - LEFT - RIGHT);
  const y = (v: number) => height - FOOT - ((v - range.y[0]) / (range.y[1] - range.y[0] || 1)) * (height - FOOT - TOP);
  const backX = (px: number) => {
    const t = tx(range.x[0]) + ((px - LEFT) / (width - LEFT - RIGHT)) * (tx(range.x[1]) - tx(range.x[0]));
    return props.xLog === true ? 10 ** t : t;
  };
  const backY = (py: number) => range.y[0] + ((height - FOOT - py) / (height - FOOT - TOP)) * (range.y[1] - range.y[0]);
  const xText = props.xFormat ?? ((v: number) => compact(v));
  const yText = props.yFormat ?? ((v: number) => number(v, 3));

  useEffect(() => {
    paintCanvas(canvas.current, width, height, (pen) => {
      pen.font = "11.5px " + getComputedStyle(document.body).fontFamily;
      pen.lineWidth = 1;
      pen.textBaseline = "middle";
      pen.fillStyle = colour("--ink-2");
      pen.strokeStyle = colour("--grid");
      const xs =
        props.xLog === true
          ? logTicks(range.x[0], range.x[1])
          : ticks(range.x[0], range.x[1], Math.max(3, width / 120));
      pen.textAlign = "center";
      for (const t of xs) {
        line(pen, Math.round(x(t)) + 0.5, TOP, Math.round(x(t)) + 0.5, height - FOOT);
        pen.fillText(xText(t), x(t), height - FOOT + 12);
      }
      pen.textAlign = "right";
      for (const t of ticks(range.y[0], range.y[1], 6)) {
        line(pen, LEFT, Math.round(y(t)) + 0.5, width - RIGHT, Math.round(y(t)) + 0.5);
        pen.fillText(yText(t), LEFT - 7, y(t));
      }
      pen.textAlign = "center";
      pen.fillText(props.xLabel, (LEFT + width) / 2, height - 10);
      pen.save();
      pen.translate(10, (height - FOOT + TOP) / 2);
      pen.rotate(-Math.PI / 2);
      pen.fillText(props.yLabel, 0, 0);
      pen.restore();
      pen.save();
      pen.beginPath();
      pen.rect(LEFT, 0, width - LEFT - RIGHT + 6, height - FOOT);
      pen.clip();
      const many = shown.length > 1500;
      for (const p of shown) {
        pen.fillStyle = withAlpha(seriesColour(p.group ?? 0, theme), many ? 0.55 : 0.8);
        pen.beginPath();
        mark(pen, p.group ?? 0, x(p.x), y(p.y), many ? 2.4 : 3.6);
        pen.fill();
      }
      const front = props.front ?? [];
      if (front.length > 0) {
        pen.strokeStyle = colour("--ink");
        pen.lineWidth = 1.6;
        pen.beginPath();
        front.forEach((p, k) => {
          if (k === 0) pen.moveTo(x(p.x), y(p.y));
          else {
            pen.lineTo(x(p.x), y(front[k - 1]?.y ?? p.y));
            pen.lineTo(x(p.x), y(p.y));
          }
        });
        pen.stroke();
        for (const p of front) {
          pen.beginPath();
          pen.arc(x(p.x), y(p.y), 4.5, 0, Math.PI * 2);
          pen.stroke();
        }
      }
      if (at !== null) {
        pen.strokeStyle = colour("--accent");
        pen.lineWidth = 2.5;
        pen.beginPath();
        pen.arc(x(at.x), y(at.y), 7, 0, Math.PI * 2);
        pen.stroke();
      }
      if (drag !== null) {
        pen.fillStyle = withAlpha(seriesColour(0, theme), 0.15);
        pen.fillRect(
          Math.min(drag.x, drag.x2),
          Math.min(drag.y, drag.y2),
          Math.abs(drag.x2 - drag.x),
          Math.abs(drag.y2 - drag.y),
        );
      }
      pen.restore();
    });
  });

  const show = (p: ScatterPoint | null) => {
    setAt(p);
    const element = tip.current;
    if (element === null) return;
    element.hidden = p === null;
    if (p === null) return;
    const group = p.group === null ? null : props.groups[p.group];
    const texts = [
      ...(group === null || group === undefined ? [] : [group]),
      `${props.yLabel} ${yText(p.y)}`,
      `${props.xLabel} ${xText(p.x)}`,
      ...(props.describe?.(p) ?? []),
    ];
    const head = document.createElement("div");
    head.className = "tip-head";
    head.textContent = "run " + p.id;
    element.replaceChildren(
      head,
      ...texts.map((t) => {
        const div = document.createElement("div");
        div.textContent = t;
        return div;
      }),
    );
    placeTip(element, x(p.x), y(p.y));
  };
  const near = (px: number, py: number): ScatterPoint | null => {
    let best: ScatterPoint | null = null;
    let least = 18 * 18;
    for (const p of shown) {
      const d = (x(p.x) - px) ** 2 + (y(p.y) - py) ** 2;
      if (d < least) {
        least = d;
        best = p;
      }
    }
    return best;
  };
  const order = useMemo(
    () => [...(props.front !== undefined && props.front.length > 0 ? props.front : shown)].sort((a, b) => a.x - b.x),
    [props.front, shown],
  );
  const press = (event: KeyboardEvent) => {
    if (event.key === "Enter" && at !== null) props.onPick?.(at);
    else if (event.key === "Escape") show(null);
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      const k = order.findIndex((p) => p.id === at?.id);
      const to = k < 0 ? 0 : Math.max(0, Math.min(order.length - 1, k + (event.key === "ArrowRight" ? 1 : -1)));
      show(order[to] ?? null);
    } else return;
    event.preventDefault();
  };
  const table = () => ({
    columns: ["run", props.xLabel, props.yLabel, "group", "front"],
    rows: props.points.map((p) => [
      p.id,
      p.x,
      p.y,
      p.group === null ? null : (props.groups[p.group] ?? null),
      props.front?.some((f) => f.id === p.id) === true ? "yes" : "",
    ]),
  });
  return (
    <figure class="chart scatter" aria-label={props.label}>
      <div class="chart-bar">
        <ul class="legend" aria-label="Groups">
          {props.groups.slice(0, 40).map((name, k) => (
            <li key={name + k}>
              <button
                type="button"
                class="legend-item"
                aria-pressed={!off.has(k)}
                title={name}
                onClick={() => {
                  const next = new Set(off);
                  if (next.has(k)) next.delete(k);
                  else next.add(k);
                  setOff(next);
                }}
              >
                <svg class="legend-mark" width="12" height="10" aria-hidden="true">
                  <LegendShape group={k} colour={seriesColour(k, theme)} />
                </svg>
                <span class="legend-name">{name}</span>
              </button>
            </li>
          ))}
        </ul>
        <div class="chart-actions">
          {props.actions}
          <button type="button" class="button small" disabled={zoom === null} onClick={() => setZoom(null)}>
            Reset zoom
          </button>
          <button type="button" class="button small" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            Numbers
          </button>
          <button
            type="button"
            class="button small"
            onClick={() => {
              if (canvas.current === null) return;
              const names = props.groups.map((name, k) => ({ name, k })).filter(({ k }) => !off.has(k));
              withLegend(canvas.current, names, theme).toBlob((blob) => {
                if (blob !== null) download(fileName(props.label) + ".png", blob);
              });
            }}
          >
            PNG
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
        aria-label={`${props.label}: ${props.points.length} points, ${props.front?.length ?? 0} on the front. Arrow keys move along the front, Enter opens.`}
        onKeyDown={press}
      >
        <canvas
          ref={canvas}
          class={at !== null && props.onPick !== undefined ? "picks" : ""}
          onMouseDown={(event) => setDrag({ x: event.offsetX, y: event.offsetY, x2: event.offsetX, y2: event.offsetY })}
          onMouseMove={(event) => {
            if (drag !== null && event.buttons === 1) {
              setDrag({ ...drag, x2: event.offsetX, y2: event.offsetY });
              return;
            }
            if (drag !== null) setDrag(null);
            show(near(event.offsetX, event.offsetY));
          }}
          onMouseUp={(event) => {
            const d = drag;
            setDrag(null);
            if (d !== null && Math.abs(d.x2 - d.x) > 8 && Math.abs(d.y2 - d.y) > 8) {
              setZoom({ x: order2(backX(d.x), backX(d.x2)), y: order2(backY(d.y), backY(d.y2)) });
              return;
            }
            const p = near(event.offsetX, event.offsetY);
            if (p !== null) props.onPick?.(p);
          }}
          onMouseLeave={() => {
            setDrag(null);
            show(null);
          }}
        />
        <div ref={tip} class="tip" aria-live="polite" hidden />
        {props.points.length === 0 && <div class="chart-empty">No points</div>}
      </div>
      {props.note !== undefined && <figcaption class="chart-note">{props.note}</figcaption>}
      {asTable && <NumbersTable label={props.label} {...table()} />}
    </figure>
  );
}

function LegendShape(props: { group: number; colour: string }): VNode {
  if (props.group % 3 === 1) return <rect x="2" y="1" width="8" height="8" fill={props.colour} />;
  if (props.group % 3 === 2) return <path d="M6 0.5 L11 9.5 L1 9.5 Z" fill={props.colour} />;
  return <circle cx="6" cy="5" r="4" fill={props.colour} />;
}

function mark(pen: CanvasRenderingContext2D, group: number, x: number, y: number, r: number): void {
  if (group % 3 === 1) pen.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
  else if (group % 3 === 2) {
    pen.moveTo(x, y - r * 1.2);
    pen.lineTo(x + r * 1.1, y + r * 0.8);
    pen.lineTo(x - r * 1.1, y + r * 0.8);
    pen.closePath();
  } else pen.arc(x, y, r, 0, Math.PI * 2);
}

function line(pen: CanvasRenderingContext2D, x: number, y: number, x2: number, y2: number): void {
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(x2, y2);
  pen.stroke();
}

function order2(a: number, b: number): [number, number] {
  return a < b ? [a, b] : [b, a];
}

function spread(values: number[], log: boolean): [number, number] {
  let lo = Infinity;
  let hi = -Infinity;
  for (const v of values) {
    if (!Number.isFinite(v) || (log && v <= 0)) continue;
    if (v < lo) lo = v;
    if (v > hi) hi = v;
  }
  if (!Number.isFinite(lo)) return log ? [1, 10] : [0, 1];
  if (log) return [lo / 1.15, hi * 1.15];
  const room = (hi - lo || Math.abs(hi) || 1) * 0.05;
  return [lo - room, hi + room];
}

function logTicks(lo: number, hi: number): number[] {
  const found: number[] = [];
  const decades = Math.log10(hi / lo);
  for (let e = Math.floor(Math.log10(lo)); e <= Math.ceil(Math.log10(hi)); e++) {
    for (const m of decades > 4 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 3, 5, 7]) {
      const v = m * 10 ** e;
      if (v >= lo && v <= hi) found.push(v);
    }
  }
  return found;
}
