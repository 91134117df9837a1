// SPDX-License-Identifier: Apache-2.0
// Attempts of workers over time: a lane per slot, coloured by step; failures stand out. Wheel with
// Ctrl and dragging zoom, arrows move from attempt to attempt, Enter opens.
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { seriesColour, withAlpha } from "../lib/colours";
import { clock, duration, fullTime, integer, share } from "../lib/format";
import { paintCanvas, useNow, useSize } from "../lib/hooks";
import { badTone, outcomeWord } from "../lib/outcomes";
import { blocks, spanAt, timeTicks } from "../lib/lanes";
import { colour, useTheme } from "../lib/theme";
import type { Timeline, TimelineAttempt } from "../lib/types";
import { placeTip } from "./tip";
import { fit } from "./heatmap";

export type GanttWorker = Timeline["workers"][number];

export interface GanttProps {
  label: string;
  workers: readonly GanttWorker[];
  from: number;
  to: number;
  /** place in the palette of an attempt */
  colourOf: (a: TimelineAttempt) => number;
  onOpen: (a: TimelineAttempt) => void;
  onRange: (from: number, to: number) => void;
}

const LEFT = 176;
const LEFT_NARROW = 92;
const LANE = 13;
const GAP = 12;
const HEAD = 24;

interface Placed {
  worker: GanttWorker;
  top: number;
  height: number;
  most: number;
}

function place(workers: readonly GanttWorker[]): { list: Placed[]; height: number } {
  let y = HEAD + 4;
  const list: Placed[] = [];
  for (const worker of workers) {
    const bins = worker.bins ?? null;
    const lanes = Math.max(1, bins !== null ? Math.min(6, worker.slots ?? 4) : worker.lanes.length);
    const height = Math.max(34, lanes * LANE);
    list.push({ worker, top: y, height, most: Math.max(worker.slots ?? 1, ...(bins ?? [1])) });
    y += height + GAP;
  }
  return { list, height: y };
}

export function Gantt(props: GanttProps): VNode {
  const theme = useTheme();
  const now = useNow(1000);
  const [box, size] = useSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<{ worker: number; lane: number; a: TimelineAttempt } | null>(null);
  const [drag, setDrag] = useState<{ x: number; x2: number } | null>(null);
  const { from, to, workers } = props;
  const { list, height } = useMemo(() => place(workers), [workers]);
  const left = size.width < 600 ? LEFT_NARROW : LEFT;
  const width = Math.max(1, size.width - left - 6);
  const x = (t: number) => left + ((t - from) / (to - from)) * width;
  const back = (px: number) => from + ((px - left) / width) * (to - from);

  useEffect(() => {
    paintCanvas(canvas.current, size.width, height, (pen) => {
      pen.font = "11.5px " + getComputedStyle(document.body).fontFamily;
      pen.textBaseline = "middle";
      drawTime(pen, from, to, x, left, size.width, height);
      for (const p of list) drawWorker(pen, p, left);
      const nowX = x(now);
      if (nowX > left && nowX < left + width) {
        pen.strokeStyle = colour("--accent");
        pen.lineWidth = 1;
        pen.beginPath();
        pen.moveTo(nowX, HEAD);
        pen.lineTo(nowX, height);
        pen.stroke();
      }
      if (drag !== null) {
        pen.fillStyle = withAlpha(seriesColour(0, theme), 0.15);
        pen.fillRect(Math.min(drag.x, drag.x2), HEAD, Math.abs(drag.x2 - drag.x), height - HEAD);
      }
    });
  });

  const drawWorker = (pen: CanvasRenderingContext2D, p: Placed, labels: number) => {
    const w = p.worker;
    pen.textAlign = "left";
    pen.fillStyle = colour("--ink");
    pen.font = "560 12.5px " + getComputedStyle(document.body).fontFamily;
    pen.fillText(fit(pen, w.name, labels - 14), 0, p.top + 8);
    pen.font = "11.5px " + getComputedStyle(document.body).fontFamily;
    pen.fillStyle = colour("--ink-2");
    pen.fillText(
      fit(
        pen,
        w.busy === null ? w.host : `${share(w.busy, 0)} busy` + (labels > 120 ? ` · ${w.host}` : ""),
        labels - 14,
      ),
      0,
      p.top + 24,
    );
    pen.fillStyle = colour("--sunken");
    pen.fillRect(labels, p.top, width, w.bins ? p.height : Math.max(1, w.lanes.length) * LANE);
    if (w.bins !== null && w.bins !== undefined) {
      const step = width / w.bins.length;
      pen.fillStyle = withAlpha(seriesColour(0, theme), 0.75);
      w.bins.forEach((b, k) => {
        const h = (b / p.most) * p.height;
        pen.fillRect(labels + k * step, p.top + p.height - h, Math.max(1, step - 0.4), h);
      });
      return;
    }
    const perPixel = (to - from) / width;
    w.lanes.forEach((lane, l) => {
      const y = p.top + l * LANE;
      if (l > 0) {
        pen.fillStyle = colour("--surface");
        pen.fillRect(labels, y - 0.5, width, 1);
      }
      for (const b of blocks(lane, from, to, now, perPixel * 2, (a) => badTone(a.outcome) !== null, props.colourOf)) {
        const bx = x(b.from);
        const bw = Math.max(1, x(b.to) - bx - (b.n === 1 && x(b.to) - bx > 4 ? 1 : 0));
        const tone = b.marked === null ? null : badTone(b.marked.outcome);
        const fill = !b.alike ? colour("--bar-skip") : seriesColour(props.colourOf(b.first), theme);
        pen.fillStyle =
          tone === "bad"
            ? colour("--bar-bad")
            : tone === "warn"
              ? colour("--bar-warn")
              : withAlpha(hex(fill), b.span?.end_ms === null ? 0.95 : 0.62);
        pen.fillRect(bx, y + 1.5, bw, LANE - 3);
        if (b.span !== null && b.span.end_ms === null) {
          pen.fillStyle = colour("--ink");
          pen.fillRect(bx + bw - 2, y + 1.5, 2, LANE - 3);
        }
        if (tone !== null && bw > 9) {
          pen.strokeStyle = colour("--surface");
          pen.lineWidth = 1.5;
          cross(pen, bx + bw / 2, y + LANE / 2, tone === "bad");
        }
        if (at !== null && b.span !== null && b.span.job === at.a.job && b.span.start_ms === at.a.start_ms) {
          pen.strokeStyle = colour("--ink");
          pen.lineWidth = 1.5;
          pen.strokeRect(bx - 1, y + 0.5, bw + 2, LANE - 1);
        }
      }
    });
  };

  const show = (hit: { worker: number; lane: number; a: TimelineAttempt } | null, px?: number, py?: number) => {
    setAt(hit);
    const element = tip.current;
    if (element === null) return;
    element.hidden = hit === null;
    if (hit === null) return;
    const p = list[hit.worker];
    const end = hit.a.end_ms ?? now;
    element.replaceChildren(
      ...[
        ["tip-head", `${hit.a.step} of ${hit.a.experiment ?? "no experiment"}`],
        ["", `job ${hit.a.job} · ${hit.a.kind} · ${hit.a.end_ms === null ? "running" : outcomeWord(hit.a.outcome)}`],
        ["", `${clock(hit.a.start_ms, now)}, ${duration((end - hit.a.start_ms) / 1000)}`],
        ["tip-cause", hit.a.text?.slice(0, 300) ?? ""],
      ].map(([kind = "", text = ""]) => {
        const div = document.createElement("div");
        div.className = kind;
        div.textContent = text;
        return div;
      }),
    );
    placeTip(element, px ?? x(Math.max(from, hit.a.start_ms)), py ?? (p?.top ?? 0) + hit.lane * LANE);
  };
  const hitAt = (px: number, py: number) => {
    const worker = list.findIndex((p) => py >= p.top && py < p.top + p.height);
    const p = list[worker];
    if (p === undefined || px < left || p.worker.bins) return null;
    const lane = Math.floor((py - p.top) / LANE);
    const a = spanAt(p.worker.lanes[lane] ?? [], back(px), now, ((to - from) / width) * 3);
    return a === null ? null : { worker, lane, a };
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "+" || event.key === "-") {
      const middle = (from + to) / 2;
      const half = ((to - from) / 2) * (event.key === "+" ? 0.5 : 2);
      props.onRange(middle - half, middle + half);
    } else if (event.key === "Escape") show(null);
    else if (event.key === "Enter" && at !== null) props.onOpen(at.a);
    else if (event.key.startsWith("Arrow")) {
      const next = step(list, at, event.key, from, to, now);
      if (next !== null) show(next);
    } else return;
    event.preventDefault();
  };
  const attempts = workers.reduce((n, w) => n + w.lanes.reduce((m, l) => m + l.length, 0), 0);
  return (
    <div
      class="chart-box gantt"
      ref={box}
      style={{ height: height + "px" }}
      tabIndex={0}
      role="img"
      aria-label={`${props.label}: ${integer(attempts)} attempts of ${workers.length} workers from ${fullTime(from)} to ${fullTime(to)}. Arrow keys move, Enter opens the job, plus and minus zoom.`}
      onKeyDown={press}
      onBlur={() => show(null)}
    >
      <canvas
        ref={canvas}
        class={at === null ? "" : "picks"}
        onMouseDown={(event) => event.offsetX > left && setDrag({ x: event.offsetX, x2: event.offsetX })}
        onMouseMove={(event) => {
          if (drag !== null && event.buttons === 1) {
            setDrag({ ...drag, x2: event.offsetX });
            return;
          }
          if (drag !== null) setDrag(null);
          show(hitAt(event.offsetX, event.offsetY), event.offsetX, event.offsetY);
        }}
        onMouseUp={(event) => {
          const d = drag;
          setDrag(null);
          if (d !== null && Math.abs(d.x2 - d.x) > 8) {
            props.onRange(back(Math.min(d.x, d.x2)), back(Math.max(d.x, d.x2)));
            return;
          }
          const hit = hitAt(event.offsetX, event.offsetY);
          if (hit !== null) props.onOpen(hit.a);
        }}
        onMouseLeave={() => {
          setDrag(null);
          show(null);
        }}
        onWheel={(event) => {
          if (!event.ctrlKey && !event.metaKey) return;
          event.preventDefault();
          const t = back(event.offsetX);
          const by = event.deltaY > 0 ? 1.3 : 1 / 1.3;
          props.onRange(t - (t - from) * by, t + (to - t) * by);
        }}
      />
      <div ref={tip} class="tip" aria-live="polite" hidden />
    </div>
  );
}

function hex(text: string): string {
  return text.startsWith("#") ? text : "#888888";
}

function cross(pen: CanvasRenderingContext2D, x: number, y: number, bad: boolean): void {
  pen.beginPath();
  if (bad) {
    pen.moveTo(x - 2.5, y - 2.5);
    pen.lineTo(x + 2.5, y + 2.5);
    pen.moveTo(x + 2.5, y - 2.5);
    pen.lineTo(x - 2.5, y + 2.5);
  } else {
    pen.moveTo(x - 3, y);
    pen.lineTo(x + 3, y);
  }
  pen.stroke();
}

function drawTime(
  pen: CanvasRenderingContext2D,
  from: number,
  to: number,
  x: (t: number) => number,
  left: number,
  right: number,
  height: number,
): void {
  const offset = -new Date(to).getTimezoneOffset() * 60000;
  pen.textAlign = "center";
  for (const t of timeTicks(from, to, Math.max(2, (right - left) / 110), offset)) {
    const px = Math.round(x(t.at)) + 0.5;
    pen.strokeStyle = colour("--grid");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(px, HEAD - 4);
    pen.lineTo(px, height);
    pen.stroke();
    const d = new Date(t.at);
    const two = (n: number) => (n < 10 ? "0" : "") + n;
    const midnight = d.getHours() === 0 && d.getMinutes() === 0 && d.getSeconds() === 0;
    const text =
      midnight || t.step >= 86400000
        ? `${two(d.getMonth() + 1)}-${two(d.getDate())}`
        : two(d.getHours()) + ":" + two(d.getMinutes()) + (t.step < 60000 ? ":" + two(d.getSeconds()) : "");
    pen.fillStyle = colour("--ink-2");
    const half = pen.measureText(text).width / 2;
    if (px - half > left - 10 && px + half < right) pen.fillText(text, px, 9);
  }
}

type Hit = { worker: number; lane: number; a: TimelineAttempt };

function step(list: readonly Placed[], at: Hit | null, key: string, from: number, to: number, now: number): Hit | null {
  const inView = (lane: readonly TimelineAttempt[]) =>
    lane.filter((a) => (a.end_ms ?? now) >= from && a.start_ms <= to);
  const all: { worker: number; lane: number; list: TimelineAttempt[] }[] = [];
  list.forEach((p, worker) => p.worker.lanes.forEach((lane, l) => all.push({ worker, lane: l, list: inView(lane) })));
  const filled = all.filter((l) => l.list.length > 0);
  if (filled.length === 0) return null;
  if (at === null) {
    const first = filled[0];
    const a = first?.list[first.list.length - 1];
    return first === undefined || a === undefined ? null : { worker: first.worker, lane: first.lane, a };
  }
  const row = Math.max(
    0,
    filled.findIndex((l) => l.worker === at.worker && l.lane === at.lane),
  );
  if (key === "ArrowUp" || key === "ArrowDown") {
    const next = filled[Math.max(0, Math.min(filled.length - 1, row + (key === "ArrowDown" ? 1 : -1)))];
    if (next === undefined) return null;
    const near = next.list.reduce((best, a) =>
      Math.abs(a.start_ms - at.a.start_ms) < Math.abs(best.start_ms - at.a.start_ms) ? a : best,
    );
    return { worker: next.worker, lane: next.lane, a: near };
  }
  const lane = filled[row];
  if (lane === undefined) return null;
  const k = lane.list.findIndex((a) => a.job === at.a.job && a.start_ms === at.a.start_ms);
  const a = lane.list[Math.max(0, Math.min(lane.list.length - 1, k + (key === "ArrowRight" ? 1 : -1)))];
  return a === undefined ? null : { worker: lane.worker, lane: lane.lane, a };
}
