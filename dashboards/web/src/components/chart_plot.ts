// SPDX-License-Identifier: Apache-2.0
// How a chart is drawn: uPlot's lines and axes; bands and stage boundaries behind them.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { seriesColour, seriesDash, withAlpha } from "../lib/colours";
import { compact } from "../lib/format";
import { colour } from "../lib/theme";
import type { ChartProps, ChartSeries, ChartStage, Now } from "./chart_data";
import { showTip } from "./chart_tip";

export function options(
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
