// SPDX-License-Identifier: Apache-2.0
// Lines over x with bands, stage boundaries, a legend that toggles, zoom by dragging, a tooltip,
// and what is shown as PNG or CSV. uPlot draws; bands and boundaries are drawn here.
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { seriesColour, seriesDash, withAlpha } from "../lib/colours";
import { csv, download, fileName } from "../lib/export";
import { compact, fullTime, interval, number } from "../lib/format";
import { useSize } from "../lib/hooks";
import { colour, useTheme } from "../lib/theme";
import type { Cell } from "../lib/types";

export interface ChartSeries {
  /** unique within the chart; shown in the legend */
  name: string;
  x: readonly number[];
  y: readonly (number | null)[];
  /** band; both or none */
  lo?: readonly (number | null)[];
  hi?: readonly (number | null)[];
  /** how many seeds or series are behind a point; shown in the tooltip */
  n?: readonly number[];
  /** place in the palette; default: order in the list */
  colour?: number;
  /** points instead of a line */
  points?: boolean;
  /** thin and pale, for single series */
  faint?: boolean;
  /** steps between points (budgets) */
  stepped?: boolean;
}

export interface ChartStage {
  from: number;
  to: number;
  label: string;
}

export interface ChartProps {
  /** accessible name and name of files */
  label: string;
  series: readonly ChartSeries[];
  xLabel: string;
  yLabel: string;
  xFormat?: (x: number) => string;
  yFormat?: (y: number) => string;
  /** x is ms since 1970 */
  time?: boolean;
  height?: number;
  stages?: readonly ChartStage[];
  yLog?: boolean;
  xLog?: boolean;
  /** fixed range of y, e.g. [0, 1] for shares */
  yRange?: readonly [number | null, number | null];
  /** what the band is, under the legend */
  note?: ComponentChildren;
  /** after zooming: ask for finer points; null when reset */
  onZoom?: (range: { from: number; to: number } | null) => void;
  /** in the row of buttons */
  actions?: ComponentChildren;
  hideLegend?: boolean;
}

interface Aligned {
  data: uPlot.AlignedData;
  /** place in the series of the index in data */
  places: Map<number, number>[];
}

function align(series: readonly ChartSeries[]): Aligned {
  const all = new Set<number>();
  for (const s of series) for (const x of s.x) all.add(x);
  const xs = [...all].sort((a, b) => a - b);
  const at = new Map(xs.map((x, k) => [x, k]));
  const places: Map<number, number>[] = [];
  const columns = series.map((s) => {
    const y: (number | null | undefined)[] = new Array<undefined>(xs.length).fill(undefined);
    const place = new Map<number, number>();
    s.x.forEach((x, k) => {
      const index = at.get(x) ?? 0;
      y[index] = s.y[k] ?? null;
      place.set(index, k);
    });
    places.push(place);
    return y;
  });
  return { data: [xs, ...columns] as uPlot.AlignedData, places };
}

export function Chart(props: ChartProps): VNode {
  const theme = useTheme();
  const [box, size] = useSize<HTMLDivElement>();
  const plotBox = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [off, setOff] = useState<ReadonlySet<string>>(new Set());
  const [zoomed, setZoomed] = useState(false);
  const [asTable, setAsTable] = useState(false);
  const height = props.height ?? 300;
  const aligned = useMemo(() => align(props.series), [props.series]);
  const now = useRef({ props, aligned, off });
  now.current = { props, aligned, off };
  const structure = JSON.stringify([
    props.series.map((s) => [s.name, s.colour, s.points, s.faint, s.stepped]),
    props.xLabel,
    props.yLabel,
    props.yLog,
    props.xLog,
    props.time,
    props.yRange,
    theme,
  ]);

  useEffect(() => {
    const root = plotBox.current;
    if (root === null || size.width < 40) return undefined;
    const made = new uPlot(options(now, tip, size.width, height, setZoomed), now.current.aligned.data, root);
    plot.current = made;
    for (const [k, s] of now.current.props.series.entries())
      if (now.current.off.has(s.name)) made.setSeries(k + 1, { show: false });
    return () => {
      made.destroy();
      plot.current = null;
      setZoomed(false);
    };
  }, [structure, size.width > 40]);

  useEffect(() => {
    if (size.width > 40) plot.current?.setSize({ width: size.width, height });
  }, [size.width, height]);

  const drawn = useRef(aligned);
  useEffect(() => {
    const p = plot.current;
    if (p === null || drawn.current === aligned) return;
    drawn.current = aligned;
    const { min, max } = p.scales.x ?? {};
    const keep = zoomed && min !== undefined && max !== undefined && min !== null && max !== null;
    p.batch(() => {
      p.setData(aligned.data, !keep);
      if (keep) p.setScale("x", { min, max });
    });
  }, [aligned]);
  useEffect(() => {
    plot.current?.redraw(false);
  }, [props.stages]);

  const reset = () => {
    const p = plot.current;
    if (p !== null) p.setData(p.data, true);
    setZoomed(false);
    props.onZoom?.(null);
  };
  const toggle = (name: string, alone: boolean) => {
    const names = props.series.map((s) => s.name);
    let next: Set<string>;
    if (alone) {
      const others = names.filter((n) => n !== name);
      next = others.every((n) => off.has(n)) && !off.has(name) ? new Set() : new Set(others);
    } else {
      next = new Set(off);
      if (next.has(name)) next.delete(name);
      else next.add(name);
    }
    setOff(next);
    now.current = { ...now.current, off: next };
    const p = plot.current;
    if (p !== null) p.batch(() => props.series.forEach((s, k) => p.setSeries(k + 1, { show: !next.has(s.name) })));
  };
  const rows = () => tableOf(props);
  const png = () => {
    const p = plot.current;
    if (p === null) return;
    const names =
      props.hideLegend === true
        ? []
        : props.series.flatMap((x, k) => (off.has(x.name) ? [] : [{ name: x.name, k: x.colour ?? k }]));
    withLegend(p.ctx.canvas, names, theme).toBlob((blob) => {
      if (blob !== null) download(fileName(props.label) + ".png", blob);
    });
  };
  const step = (event: KeyboardEvent) => {
    const p = plot.current;
    if (p === null || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
    event.preventDefault();
    const xs = p.data[0];
    const from = p.cursor.idx ?? (event.key === "ArrowRight" ? -1 : xs.length);
    const to = Math.max(0, Math.min(xs.length - 1, from + (event.key === "ArrowRight" ? 1 : -1)));
    const x = xs[to];
    if (x !== undefined) p.setCursor({ left: p.valToPos(x, "x"), top: p.bbox.height / 2 / devicePixelRatio });
  };
  const points = props.series.reduce((n, s) => n + s.x.length, 0);
  return (
    <figure class="chart" aria-label={props.label}>
      <div class="chart-bar">
        {props.hideLegend !== true && (
          <ul class="legend" aria-label="Series">
            {props.series.slice(0, 40).map((s, k) => (
              <li key={s.name}>
                <button
                  type="button"
                  class="legend-item"
                  aria-pressed={!off.has(s.name)}
                  title={s.name + " (double click: alone)"}
                  onClick={(event) => toggle(s.name, event.shiftKey)}
                  onDblClick={() => toggle(s.name, true)}
                >
                  <LegendMark series={s} k={k} theme={theme} />
                  <span class="legend-name">{s.name}</span>
                </button>
              </li>
            ))}
            {props.series.length > 40 && <li class="muted">and {props.series.length - 40} more</li>}
          </ul>
        )}
        <div class="chart-actions">
          {props.actions}
          <button type="button" class="button small" disabled={!zoomed} onClick={reset}>
            Reset zoom
          </button>
          <button type="button" class="button small" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            Numbers
          </button>
          <button type="button" class="button small" onClick={png}>
            PNG
          </button>
          <button
            type="button"
            class="button small"
            onClick={() => {
              const t = rows();
              download(fileName(props.label) + ".csv", csv(t.columns, t.rows));
            }}
          >
            CSV
          </button>
        </div>
      </div>
      <div
        class="chart-box"
        ref={box}
        style={{ height: height + "px" }}
        tabIndex={0}
        role="img"
        aria-label={`${props.label}: ${props.series.length} series, ${points} points; ${props.yLabel} over ${props.xLabel}. Arrow keys move along it.`}
        onKeyDown={step}
      >
        <div ref={plotBox} class="chart-plot" />
        <div ref={tip} class="tip" aria-live="polite" hidden />
        {points === 0 && <div class="chart-empty">No points</div>}
      </div>
      {props.note !== undefined && <figcaption class="chart-note">{props.note}</figcaption>}
      {asTable && <NumbersTable label={props.label} {...rows()} />}
    </figure>
  );
}

/** The picture on its ground with the legend above it, as people put it into a talk. */
export function withLegend(
  picture: HTMLCanvasElement,
  names: readonly { name: string; k: number }[],
  theme: "light" | "dark",
): HTMLCanvasElement {
  const ratio = devicePixelRatio || 1;
  const canvas = document.createElement("canvas");
  const probe = canvas.getContext("2d");
  const font = 12 * ratio + "px " + getComputedStyle(document.body).fontFamily;
  const row = 20 * ratio;
  const placed: { name: string; k: number; x: number; y: number }[] = [];
  let x = 12 * ratio;
  let y = names.length > 0 ? row : 0;
  for (const { name, k } of names.slice(0, 60)) {
    const short = name.length > 60 ? name.slice(0, 59) + "…" : name;
    if (probe !== null) probe.font = font;
    const width = (probe?.measureText(short).width ?? 100) + 42 * ratio;
    if (x + width > picture.width && x > 12 * ratio) {
      x = 12 * ratio;
      y += row;
    }
    placed.push({ name: short, k, x, y: y - row / 2 + 3 * ratio });
    x += width;
  }
  const head = y === 0 ? 0 : y + 8 * ratio;
  canvas.width = picture.width;
  canvas.height = picture.height + head;
  const pen = canvas.getContext("2d");
  if (pen === null) return canvas;
  pen.fillStyle = colour("--surface");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.font = font;
  pen.textBaseline = "middle";
  for (const p of placed) {
    pen.strokeStyle = seriesColour(p.k, theme);
    pen.setLineDash(seriesDash(p.k).map((d) => d * ratio));
    pen.lineWidth = 2.5 * ratio;
    pen.beginPath();
    pen.moveTo(p.x, p.y);
    pen.lineTo(p.x + 18 * ratio, p.y);
    pen.stroke();
    pen.fillStyle = colour("--ink");
    pen.fillText(p.name, p.x + 24 * ratio, p.y);
  }
  pen.setLineDash([]);
  pen.drawImage(picture, 0, head);
  return canvas;
}

function LegendMark(props: { series: ChartSeries; k: number; theme: "light" | "dark" }): VNode {
  const k = props.series.colour ?? props.k;
  return (
    <svg class="legend-mark" width="18" height="10" aria-hidden="true">
      {props.series.points === true ? (
        <circle cx="9" cy="5" r="3.5" fill={seriesColour(k, props.theme)} />
      ) : (
        <line
          x1="0"
          y1="5"
          x2="18"
          y2="5"
          stroke={seriesColour(k, props.theme)}
          stroke-width="2.5"
          stroke-dasharray={seriesDash(k).join(" ")}
        />
      )}
    </svg>
  );
}

function tableOf(props: ChartProps): { columns: string[]; rows: Cell[][] } {
  const banded = props.series.some((s) => s.lo !== undefined);
  const counted = props.series.some((s) => s.n !== undefined);
  const columns = ["series", props.xLabel, props.yLabel, ...(banded ? ["low", "high"] : []), ...(counted ? ["n"] : [])];
  const rows = props.series.flatMap((s) =>
    s.x.map((x, k): Cell[] => [
      s.name,
      x,
      s.y[k] ?? null,
      ...(banded ? [s.lo?.[k] ?? null, s.hi?.[k] ?? null] : []),
      ...(counted ? [s.n?.[k] ?? null] : []),
    ]),
  );
  return { columns, rows };
}

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

type Now = { current: { props: ChartProps; aligned: Aligned; off: ReadonlySet<string> } };

function options(
  now: Now,
  tip: { current: HTMLDivElement | null },
  width: number,
  height: number,
  setZoomed: (z: boolean) => void,
): uPlot.Options {
  const { props } = now.current;
  const theme = document.documentElement.dataset.theme === "dark" ? "dark" : "light";
  const ink = colour("--ink-2");
  const line = colour("--grid");
  const font = "11.5px " + getComputedStyle(document.body).fontFamily;
  const xText = props.xFormat ?? ((x: number) => compact(x));
  const yText = props.yFormat ?? ((y: number) => compact(y));
  const axis = (text: string, format: (v: number) => string, side: 0 | 1): uPlot.Axis => ({
    stroke: ink,
    font,
    label: text,
    labelFont: font,
    labelSize: 18,
    labelGap: side === 0 ? 2 : 4,
    size: side === 0 ? 28 : (_, values) => 14 + 6.7 * Math.max(3, ...(values ?? []).map((v) => v.length)),
    gap: 5,
    grid: { stroke: line, width: 1, show: side === 1 },
    ticks: { stroke: line, width: 1, size: 4 },
    ...(props.time === true && side === 0
      ? {}
      : { values: (_: uPlot, values: (number | null)[]) => values.map((v) => (v === null ? "" : format(v))) }),
  });
  const lines: uPlot.Series[] = props.series.map((s, k) => {
    const stroke = seriesColour(s.colour ?? k, theme);
    const paths = s.stepped === true ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
    return {
      label: s.name,
      stroke: s.faint === true ? withAlpha(stroke, 0.4) : stroke,
      width: s.points === true ? 0 : s.faint === true ? 1 : 2,
      dash: seriesDash(s.colour ?? k),
      spanGaps: true,
      points: { show: s.points === true || s.x.length === 1, size: 6, fill: stroke, stroke },
      ...(paths === undefined ? {} : { paths }),
    };
  });
  return {
    width,
    height,
    padding: [props.stages !== undefined ? 22 : 12, 14, 0, 0],
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, setScale: true, dist: 6 },
      points: { size: 7 },
      focus: { prox: 1e6 },
    },
    focus: { alpha: 1 },
    scales: {
      x: { time: props.time === true, ...(props.xLog === true ? { distr: 3 } : {}), range: xRange(props) },
      y: { ...(props.yLog === true ? { distr: 3 } : { range: (_, lo, hi) => yRange(now, lo, hi) }) },
    },
    ms: 1,
    axes: [axis(props.xLabel, xText, 0), axis(props.yLabel, yText, 1)],
    series: [{}, ...lines],
    hooks: {
      drawAxes: [(p) => drawBack(p, now.current.props, now.current.off, theme)],
      setCursor: [(p) => showTip(p, now, tip.current, theme)],
      setSelect: [
        (p) => {
          if (p.select.width < 6) return;
          setZoomed(true);
          now.current.props.onZoom?.({
            from: p.posToVal(p.select.left, "x"),
            to: p.posToVal(p.select.left + p.select.width, "x"),
          });
        },
      ],
    },
  };
}

function xRange(props: ChartProps): uPlot.Scale.Range {
  return (_, lo, hi) => {
    if (lo === null || hi === null || lo === undefined || hi === undefined) return [0, 1];
    if (lo === hi) return props.xLog === true ? [lo / 2, lo * 2] : [lo - 1, hi + 1];
    return [lo, hi];
  };
}

function yRange(now: Now, lo: number | null, hi: number | null): [number, number] {
  const { props, off } = now.current;
  let least = lo ?? Infinity;
  let most = hi ?? -Infinity;
  for (const s of props.series) {
    if (off.has(s.name)) continue;
    for (const v of s.lo ?? []) if (v !== null && v < least) least = v;
    for (const v of s.hi ?? []) if (v !== null && v > most) most = v;
  }
  if (!Number.isFinite(least) || !Number.isFinite(most)) return [0, 1];
  const room = (most - least || Math.abs(most) || 1) * 0.06;
  let bottom = least - room;
  if (least >= 0 && least < (most - least) * 0.4) bottom = 0;
  return [props.yRange?.[0] ?? bottom, props.yRange?.[1] ?? most + room];
}

function drawBack(p: uPlot, props: ChartProps, off: ReadonlySet<string>, theme: "light" | "dark"): void {
  const pen = p.ctx;
  const { left, top, width, height } = p.bbox;
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, width, top + height);
  pen.clip();
  if (props.stages !== undefined) drawStages(p, props.stages, theme);
  pen.restore();
  pen.save();
  pen.beginPath();
  pen.rect(left, top, width, height);
  pen.clip();
  props.series.forEach((s, k) => {
    if (s.lo === undefined || s.hi === undefined || off.has(s.name)) return;
    drawBand(p, s, withAlpha(seriesColour(s.colour ?? k, theme), theme === "dark" ? 0.2 : 0.15));
  });
  pen.restore();
}

function drawBand(p: uPlot, s: ChartSeries, fill: string): void {
  const pen = p.ctx;
  const upper: [number, number][] = [];
  const lower: [number, number][] = [];
  const flush = () => {
    if (upper.length > 1) {
      pen.beginPath();
      upper.forEach(([x, y], k) => (k === 0 ? pen.moveTo(x, y) : pen.lineTo(x, y)));
      for (const [x, y] of lower.reverse()) pen.lineTo(x, y);
      pen.closePath();
      pen.fillStyle = fill;
      pen.fill();
    } else if (upper.length === 1 && upper[0] !== undefined && lower[0] !== undefined) {
      pen.fillStyle = fill;
      pen.fillRect(upper[0][0] - 3, upper[0][1], 6, lower[0][1] - upper[0][1]);
    }
    upper.length = 0;
    lower.length = 0;
  };
  for (let k = 0; k < s.x.length; k++) {
    const lo = s.lo?.[k];
    const hi = s.hi?.[k];
    const x = s.x[k];
    if (x === undefined || lo === null || lo === undefined || hi === null || hi === undefined) {
      flush();
      continue;
    }
    const px = p.valToPos(x, "x", true);
    upper.push([px, p.valToPos(hi, "y", true)]);
    lower.push([px, p.valToPos(lo, "y", true)]);
  }
  flush();
}

function drawStages(p: uPlot, stages: readonly ChartStage[], theme: "light" | "dark"): void {
  const pen = p.ctx;
  const { left, top, width, height } = p.bbox;
  const ratio = devicePixelRatio || 1;
  pen.font = 11 * ratio + "px " + getComputedStyle(document.body).fontFamily;
  pen.textBaseline = "bottom";
  pen.textAlign = "left";
  stages.forEach((stage, k) => {
    const from = p.valToPos(stage.from, "x", true);
    const to = p.valToPos(stage.to, "x", true);
    if (to < left || from > left + width) return;
    if (k % 2 === 1) {
      pen.fillStyle = theme === "dark" ? "rgba(255,255,255,0.028)" : "rgba(20,40,80,0.03)";
      pen.fillRect(from, top, to - from, height);
    }
    if (k > 0) {
      pen.strokeStyle = colour("--ink-3");
      pen.lineWidth = ratio;
      pen.setLineDash([4 * ratio, 4 * ratio]);
      pen.beginPath();
      pen.moveTo(Math.round(from) + 0.5, top);
      pen.lineTo(Math.round(from) + 0.5, top + height);
      pen.stroke();
      pen.setLineDash([]);
    }
    const room = Math.min(to, left + width) - Math.max(from, left) - 8 * ratio;
    let text = stage.label;
    while (text.length > 1 && pen.measureText(text).width > room) text = text.length > 2 ? text.slice(0, -2) + "…" : "";
    pen.fillStyle = colour("--ink-2");
    if (text !== "") pen.fillText(text, Math.max(from, left) + 4 * ratio, top - 4 * ratio);
  });
}

function showTip(p: uPlot, now: Now, tip: HTMLDivElement | null, theme: "light" | "dark"): void {
  if (tip === null) return;
  const index = p.cursor.idx;
  const left = p.cursor.left ?? -1;
  if (index === null || index === undefined || left < 0) {
    tip.hidden = true;
    return;
  }
  const { props, aligned, off } = now.current;
  const x = p.data[0][index];
  const y = props.yFormat ?? ((v: number) => number(v));
  const lines: { name: string; k: number; y: number; band: string; n: number | undefined }[] = [];
  props.series.forEach((s, k) => {
    if (off.has(s.name)) return;
    const at = nearestPlace(aligned.places[k], index, p.data[0], s.x.length);
    const value = at === null ? null : s.y[at];
    if (at === null || value === null || value === undefined) return;
    lines.push({ name: s.name, k: s.colour ?? k, y: value, band: interval(s.lo?.[at], s.hi?.[at], y), n: s.n?.[at] });
  });
  lines.sort((a, b) => b.y - a.y);
  const parts: HTMLElement[] = [];
  const head = document.createElement("div");
  head.className = "tip-head";
  head.textContent =
    x === undefined
      ? ""
      : props.time === true
        ? fullTime(x)
        : `${props.xLabel} ${(props.xFormat ?? ((v: number) => number(v)))(x)}`;
  parts.push(head);
  for (const line of lines.slice(0, 14)) {
    const row = document.createElement("div");
    row.className = "tip-row";
    const mark = document.createElement("i");
    mark.style.background = seriesColour(line.k, theme);
    const name = document.createElement("span");
    name.className = "tip-name";
    name.textContent = line.name;
    const value = document.createElement("b");
    value.textContent = y(line.y);
    const more = document.createElement("span");
    more.className = "tip-more";
    more.textContent = line.band + (line.n !== undefined ? ` n=${line.n}` : "");
    row.append(mark, name, value, more);
    parts.push(row);
  }
  if (lines.length > 14) {
    const rest = document.createElement("div");
    rest.className = "tip-more";
    rest.textContent = `and ${lines.length - 14} more`;
    parts.push(rest);
  }
  tip.replaceChildren(...parts);
  tip.hidden = lines.length === 0;
  placeTip(tip, left + p.bbox.left / devicePixelRatio, (p.cursor.top ?? 0) + p.bbox.top / devicePixelRatio);
}

/** The point of a series at INDEX, or the last one before it when the series is sparser. */
function nearestPlace(
  places: Map<number, number> | undefined,
  index: number,
  xs: ArrayLike<number>,
  n: number,
): number | null {
  if (places === undefined || n === 0) return null;
  const reach = Math.max(3, Math.ceil((xs.length / n) * 1.5));
  for (let d = 0; d <= reach; d++) {
    const before = places.get(index - d) ?? places.get(index + d);
    if (before !== undefined) return before;
  }
  return null;
}

/** Puts a tooltip beside a point of its box, inside the box's width. */
export function placeTip(tip: HTMLElement, x: number, y: number): void {
  const box = tip.offsetParent;
  if (!(box instanceof HTMLElement)) return;
  const w = tip.offsetWidth;
  const h = tip.offsetHeight;
  const left = x + 16 + w <= box.clientWidth ? x + 16 : Math.max(0, x - 16 - w);
  const above = Math.min(y - h / 2, box.clientHeight - h);
  tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(Math.max(-40, above))}px)`;
}
