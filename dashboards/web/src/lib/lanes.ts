// SPDX-License-Identifier: Apache-2.0
// Attempts on lanes of time: what a picture of some pixels can show of them. Pure.

export interface Span {
  start_ms: number;
  end_ms: number | null;
}

/** Pieces of one lane as they are drawn: one span, or many that share a pixel. */
export interface Block<S extends Span> {
  from: number;
  to: number;
  /** the span when it is one */
  span: S | null;
  /** the first of them */
  first: S;
  /** all are of one kind */
  alike: boolean;
  n: number;
  /** one of them is of interest (failed, lost): drawn so */
  marked: S | null;
}

/** Blocks of a lane between FROM and TO; spans closer than GAP ms and shorter than it merge. Spans
 * are in order of their starts. */
export function blocks<S extends Span>(
  lane: readonly S[],
  from: number,
  to: number,
  now: number,
  gap: number,
  marked: (s: S) => boolean,
  kind: (s: S) => unknown = () => 0,
): Block<S>[] {
  const found: Block<S>[] = [];
  for (const span of lane) {
    const end = span.end_ms ?? now;
    if (end < from || span.start_ms > to) continue;
    const a = Math.max(from, span.start_ms);
    const b = Math.min(to, Math.max(end, span.start_ms));
    const last = found[found.length - 1];
    const small = b - a < gap;
    if (last !== undefined && a - last.to < gap * 0.5 && small && (last.n > 1 || last.to - last.from < gap)) {
      last.to = Math.max(last.to, b);
      last.n++;
      last.span = null;
      last.alike &&= kind(span) === kind(last.first);
      if (last.marked === null && marked(span)) last.marked = span;
    } else {
      found.push({ from: a, to: b, span, first: span, alike: true, n: 1, marked: marked(span) ? span : null });
    }
  }
  return found;
}

/** The span of a lane at T, or the nearest within SLACK ms. */
export function spanAt<S extends Span>(lane: readonly S[], t: number, now: number, slack: number): S | null {
  let lo = 0;
  let hi = lane.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if ((lane[mid]?.start_ms ?? 0) <= t) lo = mid + 1;
    else hi = mid;
  }
  let best: S | null = null;
  let least = slack;
  for (const k of [lo - 1, lo]) {
    const span = lane[k];
    if (span === undefined) continue;
    const end = span.end_ms ?? now;
    const away = t < span.start_ms ? span.start_ms - t : t > end ? t - end : -1;
    if (away <= least) {
      least = away;
      best = span;
    }
  }
  return best;
}

/** Share of SLOTS that were in use between FROM and TO. */
export function utilisation(
  lanes: readonly (readonly Span[])[],
  slots: number,
  from: number,
  to: number,
  now: number,
): number | null {
  const end = Math.min(to, now);
  if (slots <= 0 || end <= from) return null;
  let used = 0;
  for (const lane of lanes) {
    for (const span of lane) used += Math.max(0, Math.min(end, span.end_ms ?? now) - Math.max(from, span.start_ms));
  }
  return Math.min(1, used / (slots * (end - from)));
}

/** Lanes in which no two spans overlap, as few as possible: each goes to the first that is free. */
export function layOut<S extends Span>(spans: readonly S[], now: number): S[][] {
  const lanes: { end: number; spans: S[] }[] = [];
  for (const span of [...spans].sort((a, b) => a.start_ms - b.start_ms)) {
    const free = lanes.find((lane) => lane.end <= span.start_ms);
    const end = span.end_ms ?? now;
    if (free === undefined) lanes.push({ end, spans: [span] });
    else {
      free.end = end;
      free.spans.push(span);
    }
  }
  return lanes.map((lane) => lane.spans);
}

const STEPS_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800,
];

/** Round times between FROM and TO, about COUNT of them, in local time. OFFSET is the zone's in ms. */
export function timeTicks(from: number, to: number, count: number, offset: number): { at: number; step: number }[] {
  const raw = (to - from) / 1000 / Math.max(1, count);
  const step = (STEPS_S.find((s) => s >= raw) ?? 2592000) * 1000;
  const found: { at: number; step: number }[] = [];
  for (let t = Math.ceil((from + offset) / step) * step; t <= to + offset && found.length < 200; t += step)
    found.push({ at: t - offset, step });
  return found;
}
