// SPDX-License-Identifier: Apache-2.0
// What a chart is given, and how it reads it: series over one common x, as numbers in a table.
import type { ComponentChildren } from "preact";
import type uPlot from "uplot";
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

export interface Aligned {
  data: uPlot.AlignedData;
  /** place in the series of the index in data */
  places: Map<number, number>[];
}

/** What the drawing sees when it draws: always the newest. */
export type Now = { current: { props: ChartProps; aligned: Aligned; off: ReadonlySet<string> } };

export function align(series: readonly ChartSeries[]): Aligned {
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

export function tableOf(props: ChartProps): { columns: string[]; rows: Cell[][] } {
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

/** The point of a series at INDEX, or the last one before it when the series is sparser. */
export function nearestPlace(
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
