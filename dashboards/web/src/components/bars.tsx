// SPDX-License-Identifier: Apache-2.0
// Histograms, sparklines, bars in cells, intervals.
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { compact, integer, number, ticks } from "../lib/format";
import { paintCanvas, useSize } from "../lib/hooks";
import { colour, useTheme } from "../lib/theme";
import { seriesColour } from "../lib/colours";
import { NumbersTable } from "./numbers";
import { placeTip } from "./tip";

export interface HistogramProps {
  label: string;
  /** bars in order; x is the bar's name or value */
  bins: readonly { x: string | number; n: number; note?: string }[];
  xLabel: string;
  yLabel?: string;
  height?: number;
  /** a line at this value (bins with numbers one apart) or at this place */
  mark?: { at: number; label: string } | null;
  colour?: number;
  onPick?: (bin: number) => void;
  /** bars as shares of the sum */
  shares?: boolean;
}

export function Histogram(props: HistogramProps): VNode {
  const theme = useTheme();
  const [box, size] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState(-1);
  const [asTable, setAsTable] = useState(false);
  const { bins } = props;
  const height = props.height ?? 200;
  const sum = bins.reduce((a, b) => a + b.n, 0);
  const most = Math.max(1e-9, ...bins.map((b) => b.n));
  const left = 52;
  const foot = 36;
  const room = { width: Math.max(0, size.width - left - 8), height: height - foot - 12 };
  const step = bins.length === 0 ? 0 : room.width / bins.length;
  const y = (n: number) => 12 + room.height - (n / most) * room.height;
  useEffect(() => {
    paintCanvas(canvas.current, size.width, height, (pen) => {
      pen.font = "11.5px " + getComputedStyle(document.body).fontFamily;
      pen.textBaseline = "middle";
      pen.lineWidth = 1;
      for (const t of ticks(0, props.shares === true ? most / Math.max(1, sum) : most, 4)) {
        const n = props.shares === true ? t * sum : t;
        const line = Math.round(y(n)) + 0.5;
        pen.strokeStyle = colour("--grid");
        pen.beginPath();
        pen.moveTo(left, line);
        pen.lineTo(left + room.width, line);
        pen.stroke();
        pen.fillStyle = colour("--ink-2");
        pen.textAlign = "right";
        pen.fillText(props.shares === true ? Math.round(t * 100) + "%" : compact(t), left - 6, line);
      }
      bins.forEach((b, k) => {
        pen.fillStyle = k === at ? colour("--ink") : seriesColour(props.colour ?? 0, theme);
        const gap = step > 4 ? 1 : 0;
        pen.fillRect(left + k * step, y(b.n), Math.max(0.5, step - gap), 12 + room.height - y(b.n));
      });
      pen.textAlign = "center";
      pen.fillStyle = colour("--ink-2");
      const names = bins.map((b) => (typeof b.x === "number" ? number(b.x) : b.x));
      const widest = Math.max(8, ...names.slice(0, 200).map((n) => pen.measureText(n).width)) + 8;
      const every = Math.max(1, Math.ceil(widest / Math.max(1, step)));
      for (let k = 0; k < bins.length; k += every)
        pen.fillText(names[k] ?? "", left + (k + 0.5) * step, height - foot + 10);
      pen.fillText(props.xLabel, left + room.width / 2, height - 8);
      const mark = props.mark;
      if (mark !== null && mark !== undefined && bins.length > 0) {
        const first = bins[0]?.x;
        const place = typeof first === "number" ? mark.at - first : mark.at;
        const x = Math.round(left + (place + 0.5) * step) + 0.5;
        pen.strokeStyle = colour("--ink");
        pen.setLineDash([4, 3]);
        pen.beginPath();
        pen.moveTo(x, 4);
        pen.lineTo(x, 12 + room.height);
        pen.stroke();
        pen.setLineDash([]);
        pen.fillStyle = colour("--ink");
        const after = x < left + room.width * 0.7;
        pen.textAlign = after ? "left" : "right";
        pen.fillText(mark.label, x + (after ? 5 : -5), 8);
      }
    });
  });
  const show = (k: number) => {
    setAt(k);
    const element = tip.current;
    const bin = bins[k];
    if (element === null) return;
    element.hidden = bin === undefined;
    if (bin === undefined) return;
    element.textContent = `${props.xLabel} ${typeof bin.x === "number" ? number(bin.x) : bin.x}: ${integer(bin.n)}${sum > 0 ? ` (${((bin.n / sum) * 100).toFixed(1)} %)` : ""}${bin.note === undefined ? "" : " · " + bin.note}`;
    placeTip(element, left + (k + 0.5) * step, y(bin.n));
  };
  const binAt = (event: MouseEvent) => {
    const k = Math.floor((event.offsetX - left) / step);
    return k >= 0 && k < bins.length ? k : -1;
  };
  return (
    <figure class="histogram" aria-label={props.label}>
      <div
        class="chart-box"
        ref={box}
        style={{ height: height + "px" }}
        tabIndex={0}
        role="img"
        aria-label={`${props.label}: ${bins.length} bars, ${integer(sum)} in all. Arrow keys move.`}
        onKeyDown={(event) => {
          if (event.key === "ArrowRight") show(Math.min(bins.length - 1, at + 1));
          else if (event.key === "ArrowLeft") show(Math.max(0, at - 1));
          else if (event.key === "Enter" && at >= 0) props.onPick?.(at);
          else return;
          event.preventDefault();
        }}
        onBlur={() => show(-1)}
      >
        <canvas
          ref={canvas}
          class={props.onPick === undefined ? "" : "picks"}
          onMouseMove={(event) => show(binAt(event))}
          onMouseLeave={() => show(-1)}
          onClick={(event) => {
            const k = binAt(event);
            if (k >= 0) props.onPick?.(k);
          }}
        />
        <div ref={tip} class="tip" hidden />
      </div>
      <button type="button" class="button plain small" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
        Numbers
      </button>
      {asTable && (
        <NumbersTable
          label={props.label}
          columns={[props.xLabel, props.yLabel ?? "n"]}
          rows={bins.map((b) => [b.x, b.n])}
        />
      )}
    </figure>
  );
}

/** A line of small bars: done above, failed in another colour at the foot. */
export function Spark(props: {
  label: string;
  values: readonly number[];
  bad?: readonly number[];
  width?: number;
  height?: number;
  title?: string;
}): VNode {
  const width = props.width ?? 120;
  const height = props.height ?? 26;
  const most = Math.max(1, ...props.values.map((v, k) => v + (props.bad?.[k] ?? 0)));
  const step = width / Math.max(1, props.values.length);
  return (
    <svg
      class="spark"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={props.label}
    >
      {props.title !== undefined && <title>{props.title}</title>}
      <line x1="0" x2={width} y1={height - 0.5} y2={height - 0.5} class="spark-base" />
      {props.values.map((v, k) => {
        const bad = props.bad?.[k] ?? 0;
        const hBad = (bad / most) * (height - 2);
        const h = (v / most) * (height - 2);
        return (
          <g key={k}>
            {v > 0 && (
              <rect
                x={k * step}
                width={Math.max(0.8, step - 0.8)}
                y={height - 1 - hBad - Math.max(1, h)}
                height={Math.max(1, h)}
                class="spark-good"
              />
            )}
            {bad > 0 && (
              <rect
                x={k * step}
                width={Math.max(0.8, step - 0.8)}
                y={height - 1 - Math.max(1.5, hBad)}
                height={Math.max(1.5, hBad)}
                class="spark-bad"
              />
            )}
          </g>
        );
      })}
    </svg>
  );
}

/** A share as a bar behind its text, in a cell. */
export function ShareBar(props: {
  share: number | null | undefined;
  children?: ComponentChildren;
  tone?: string;
  label?: string;
}): VNode {
  const share = Math.max(0, Math.min(1, props.share ?? 0));
  return (
    <span class="share-bar">
      <span class="share-track" aria-hidden="true">
        <span class={"share-fill " + (props.tone ?? "")} style={{ width: share * 100 + "%" }} />
      </span>
      <span class="share-text">{props.children}</span>
    </span>
  );
}

/** A mean with its interval on a common scale, with a line at zero (or at MARK). */
export function Interval(props: {
  mean: number | null;
  lo: number | null;
  hi: number | null;
  min: number;
  max: number;
  mark?: number;
  tone?: "good" | "bad" | "plain";
  width?: number;
  label: string;
}): VNode {
  const width = props.width ?? 180;
  const height = 20;
  const x = (v: number) => 6 + ((v - props.min) / (props.max - props.min || 1)) * (width - 12);
  return (
    <svg
      class={"interval " + (props.tone ?? "plain")}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={props.label}
    >
      {props.mark !== undefined && (
        <line x1={x(props.mark)} x2={x(props.mark)} y1="0" y2={height} class="interval-mark" />
      )}
      {props.lo !== null && props.hi !== null && (
        <line x1={x(props.lo)} x2={x(props.hi)} y1={height / 2} y2={height / 2} class="interval-line" />
      )}
      {props.mean !== null && <circle cx={x(props.mean)} cy={height / 2} r="4" class="interval-dot" />}
    </svg>
  );
}
