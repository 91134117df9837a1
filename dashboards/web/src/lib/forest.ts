// SPDX-License-Identifier: Apache-2.0
// forest.ts - the axis of a forest plot: a range that holds every interval and zero, with round
// ticks; and where values lie on it. Pure.
import { ticks } from "./format";

export interface ForestItem {
  at: number | null;
  lo: number | null;
  hi: number | null;
}

export interface ForestAxis {
  lo: number;
  hi: number;
  ticks: number[];
}

// ZERO: differences, whose axis shows zero. Intervals far longer than the others (some seeds
// agree about nothing) are cut: the axis spans at most CUT times the spread of the points.
export function forestAxis(items: readonly ForestItem[], zero: boolean, cut = 8): ForestAxis {
  const points = items.flatMap((i) => (i.at !== null && Number.isFinite(i.at) ? [i.at] : []));
  const ends = items.flatMap((i) =>
    [i.lo, i.hi].filter((x): x is number => x !== null && Number.isFinite(x)),
  );
  if (zero) points.push(0);
  if (!points.length) return { lo: zero ? -1 : 0, hi: 1, ticks: [] };
  const p_lo = Math.min(...points);
  const p_hi = Math.max(...points);
  const spread = p_hi - p_lo || Math.max(...ends.map((e) => Math.abs(e - p_lo)), 0) || Math.abs(p_lo) || 1;
  const widths = items
    .flatMap((i) => (i.lo !== null && i.hi !== null && Number.isFinite(i.hi - i.lo) ? [i.hi - i.lo] : []))
    .sort((a, b) => a - b);
  const usual = widths[Math.floor((widths.length - 1) / 2)] ?? 0;
  const reach = Math.max((spread * (cut - 1)) / 2, 3 * usual);
  let lo = Math.max(Math.min(p_lo, ...ends), p_lo - reach);
  let hi = Math.min(Math.max(p_hi, ...ends), p_hi + reach);
  const pad = (hi - lo || Math.abs(hi) || 1) * 0.05;

  lo -= pad;
  hi += pad;
  return { lo, hi, ticks: ticks(lo, hi, 6) };
}

// Share of the axis left of X; outside values are at its ends.
export function forestShare(axis: ForestAxis, x: number): number {
  return Math.max(0, Math.min(1, (x - axis.lo) / (axis.hi - axis.lo || 1)));
}

// Is a part of the interval beyond the axis?
export function forestCut(axis: ForestAxis, item: ForestItem): { low: boolean; high: boolean } {
  return {
    low: item.lo !== null && item.lo < axis.lo,
    high: item.hi !== null && item.hi > axis.hi,
  };
}
