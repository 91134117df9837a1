// SPDX-License-Identifier: Apache-2.0
// What a chart says of the point below the mouse.
import type uPlot from "uplot";
import { seriesColour } from "../lib/colours";
import { fullTime, interval, number } from "../lib/format";
import { nearestPlace, Now } from "./chart_data";
import { placeTip } from "./tip";

export function showTip(p: uPlot, now: Now, tip: HTMLDivElement | null, theme: "light" | "dark"): void {
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
