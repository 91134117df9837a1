// SPDX-License-Identifier: Apache-2.0
// Who worked when, on what: the attempts of each slot over a span of time.
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Answer, Card, Choice, Empty, Select } from "../components/basics";
import { Gantt } from "../components/gantt";
import { seriesColour } from "../lib/colours";
import { useData } from "../lib/data";
import { clock, integer, share } from "../lib/format";
import { useRemembered } from "../lib/hooks";
import { utilisation } from "../lib/lanes";
import { badTone } from "../lib/outcomes";
import { go, link } from "../lib/router";
import { useTheme } from "../lib/theme";
import type { Timeline, TimelineAttempt } from "../lib/types";
import { Troubles } from "./workers_troubles";

const RANGES = [
  { value: "900", title: "15 min" },
  { value: "3600", title: "1 h" },
  { value: "21600", title: "6 h" },
  { value: "86400", title: "24 h" },
  { value: "604800", title: "7 d" },
] as const;

type By = "step" | "kind" | "experiment";

/** Times are rounded so that questions repeat and answers can be kept. */
function useWindow(seconds: number): {
  from: number;
  to: number;
  fixed: boolean;
  set: (range: [number, number] | null) => void;
} {
  const [range, setRange] = useState<[number, number] | null>(null);
  const [now, setNow] = useState(Date.now());
  const period = Math.max(2000, (seconds / 450) * 1000);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setNow(Date.now());
    }, period);
    return () => clearInterval(timer);
  }, [period]);
  useEffect(() => setRange(null), [seconds]);
  const to = Math.ceil(now / period) * period;
  return range === null
    ? { from: to - seconds * 1000, to, fixed: false, set: setRange }
    : { from: range[0], to: range[1], fixed: true, set: setRange };
}

export function TimelineCard(props: { last: number | null }): VNode {
  const theme = useTheme();
  const [seconds, setSeconds] = useRemembered<string>("timeline.range", "3600");
  const [by, setBy] = useRemembered<By>("timeline.by", "step");
  const time = useWindow(Number(seconds) || 3600);
  const timeline = useData<Timeline>(
    "workers/timeline",
    { from_ms: Math.round(time.from), to_ms: Math.round(time.to) },
    { live: "all", again: (t) => (t.ready === false ? 1000 : 0) },
  );
  const empty =
    timeline.data !== null &&
    !timeline.stale &&
    !timeline.data.workers.some((w) => w.lanes.some((l) => l.length > 0) || (w.bins?.length ?? 0) > 0);
  // nothing in the time before now, but there was something once: show the end of that, at first
  const looked = useRef(false);
  const { last } = props;
  const away = last !== null && last > 0 && last < time.from;
  const toLast = () => {
    const length = (Number(seconds) || 3600) * 1000;
    if (last !== null) time.set([last - length * 0.97, last + length * 0.03]);
  };
  useEffect(() => {
    if (looked.current || last === null || timeline.data === null) return;
    looked.current = true;
    if (empty && away) toLast();
  }, [last, timeline.data]);
  const nameOf = (a: TimelineAttempt) =>
    String((by === "step" ? a.step || a.kind : by === "kind" ? a.kind : a.experiment) || "other");
  const spans = useMemo(
    () => timeline.data?.workers.flatMap((w) => w.lanes.flat().map((a) => ({ ...a, worker: w.name }))) ?? [],
    [timeline.data],
  );
  const names = useMemo(() => {
    const counts = new Map<string, number>();
    for (const a of spans) counts.set(nameOf(a), (counts.get(nameOf(a)) ?? 0) + 1);
    return [...counts].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }, [spans, by]);
  const places = new Map(names.map(([name], k) => [name, k]));
  const troubles = spans
    .filter((a) => a.end_ms !== null && badTone(a.outcome) !== null)
    .sort((a, b) => (b.end_ms ?? 0) - (a.end_ms ?? 0));
  const setRange = (from: number, to: number) => {
    const length = Math.min(Math.max(to - from, 5000), 92 * 86400000);
    const middle = (from + to) / 2;
    time.set([Math.round(middle - length / 2), Math.round(middle + length / 2)]);
  };
  const busy = timeline.data === null ? null : overall(timeline.data);
  return (
    <>
      <Card
        title="Timeline"
        actions={
          <>
            {busy !== null && (
              <span title="Of the slots of those who worked in this time">{share(busy, 0)} of their slots in use</span>
            )}
            <Select label="Colour by" options={["step", "kind", "experiment"] as const} value={by} onChange={setBy} />
            <Choice
              label="Range"
              options={RANGES.map((r) => ({ value: r.value as string, title: r.title }))}
              value={time.fixed ? "" : seconds}
              onChange={(s) => {
                time.set(null);
                setSeconds(s);
              }}
            />
            <button type="button" class="button small" disabled={!time.fixed} onClick={() => time.set(null)}>
              Now
            </button>
          </>
        }
      >
        <div class="card-body">
          <ul class="legend gantt-legend" aria-label="Colours">
            {names.slice(0, 16).map(([name, n], k) => (
              <li key={name} class="legend-item plain-item">
                <svg class="legend-mark" width="12" height="10" aria-hidden="true">
                  <rect width="12" height="10" rx="2" fill={seriesColour(k, theme)} fill-opacity="0.7" />
                </svg>
                <span class="legend-name" title={name}>
                  {name}
                </span>
                <span class="muted">{integer(n)}</span>
              </li>
            ))}
            <li class="legend-item plain-item">
              <svg class="legend-mark" width="12" height="10" aria-hidden="true">
                <rect width="12" height="10" rx="2" class="fill-bad" />
              </svg>
              failed
            </li>
            <li class="legend-item plain-item">
              <svg class="legend-mark" width="12" height="10" aria-hidden="true">
                <rect width="12" height="10" rx="2" class="fill-warn" />
              </svg>
              lost, stopped, diverged
            </li>
          </ul>
          <Answer of={{ ...timeline, stale: false }} height={180} lines={5}>
            {(t) =>
              t.workers.length === 0 || (empty && !timeline.stale) ? (
                <Empty title="Nobody worked in this time">
                  {last !== null && last > 0 ? (
                    <button type="button" class="button small" onClick={toLast}>
                      To the last work, {clock(last, Date.now())}
                    </button>
                  ) : (
                    "Choose a longer range, or start a worker."
                  )}
                </Empty>
              ) : (
                <Gantt
                  label="Timeline of attempts"
                  workers={t.workers}
                  from={time.from}
                  to={time.to}
                  colourOf={(a) => places.get(nameOf(a)) ?? 0}
                  onOpen={(a) => go(link("jobs", a.job))}
                  onRange={setRange}
                />
              )
            }
          </Answer>
          {timeline.data?.workers.some((w) => w.bins) === true && (
            <p class="chart-note">
              Where there are too many attempts to draw, the height is how many ran at once. Drag to zoom in.
            </p>
          )}
        </div>
      </Card>
      <Troubles list={troubles} />
    </>
  );
}

function overall(t: Timeline): number | null {
  let used = 0;
  let slots = 0;
  for (const w of t.workers) {
    const n = w.slots ?? w.lanes.length;
    const busy = w.busy ?? utilisation(w.lanes, n, t.from_ms, t.to_ms, Date.now());
    if (busy === null || n === 0) continue;
    used += busy * n;
    slots += n;
  }
  return slots === 0 ? null : used / slots;
}
