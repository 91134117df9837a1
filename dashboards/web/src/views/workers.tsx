// SPDX-License-Identifier: Apache-2.0
// Who worked when, on what, and what went wrong.
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Ago, Answer, Card, Choice, Clock, Empty, Select } from "../components/basics";
import { ShareBar } from "../components/bars";
import { Gantt } from "../components/gantt";
import { Column, DataTable, useRows } from "../components/table";
import { seriesColour } from "../lib/colours";
import { useData } from "../lib/api";
import { clock, duration, durationShort, integer, plural, share } from "../lib/format";
import { useRemembered, useTitle } from "../lib/hooks";
import { utilisation } from "../lib/lanes";
import { badTone, outcomeWord } from "../lib/outcomes";
import { go, link } from "../lib/router";
import { useTheme } from "../lib/theme";
import type { Overview, Timeline, TimelineAttempt, Worker } from "../lib/types";
import { Slots, WorkerState, workerState } from "./overview_workers";

const RANGES = [
  { value: "900", title: "15 min" },
  { value: "3600", title: "1 h" },
  { value: "21600", title: "6 h" },
  { value: "86400", title: "24 h" },
  { value: "604800", title: "7 d" },
] as const;

type By = "step" | "kind" | "experiment";

export function WorkersView(): VNode {
  useTitle("Workers");
  const overview = useData<Overview>("overview", undefined, { live: "all" });
  const o = overview.data;
  const last =
    o === null
      ? null
      : Math.max(0, ...o.experiments.map((e) => e.last_ms ?? 0), ...o.workers.map((w) => w.last_seen_ms ?? 0));
  return (
    <div class="stack">
      <div class="page-head">
        <h1>Workers</h1>
      </div>
      <TimelineCard last={last} />
      <Answer of={overview} height={200}>
        {(o) => <WorkersTable workers={o.workers} />}
      </Answer>
    </div>
  );
}

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

function TimelineCard(props: { last: number | null }): VNode {
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

type Trouble = TimelineAttempt & { worker: string };

const TROUBLE_COLUMNS: Column<Trouble>[] = [
  {
    name: "when",
    title: "Ended",
    width: 150,
    sort: true,
    value: (a) => a.end_ms,
    render: (a) => <Clock at={a.end_ms} />,
  },
  {
    name: "outcome",
    title: "Outcome",
    width: 124,
    sort: true,
    value: (a) => outcomeWord(a.outcome),
    render: (a) => <span class={"badge tone-" + (badTone(a.outcome) ?? "plain")}>{outcomeWord(a.outcome)}</span>,
  },
  {
    name: "cause",
    title: "Cause",
    width: 380,
    sort: true,
    value: (a) => a.text,
    render: (a) => <span title={a.text?.slice(0, 1500)}>{a.text?.slice(0, 300) ?? "–"}</span>,
  },
  { name: "worker", title: "Worker", width: 130, sort: true, value: (a) => a.worker, render: (a) => a.worker },
  { name: "step", title: "Step", width: 110, sort: true, value: (a) => a.step, render: (a) => a.step },
  {
    name: "experiment",
    title: "Experiment",
    width: 150,
    sort: true,
    value: (a) => String(a.experiment ?? ""),
    render: (a) => String(a.experiment ?? "–"),
  },
  {
    name: "lasted",
    title: "Lasted",
    type: "number",
    width: 84,
    sort: true,
    value: (a) => (a.end_ms ?? 0) - a.start_ms,
    render: (a) => durationShort(((a.end_ms ?? a.start_ms) - a.start_ms) / 1000),
  },
  {
    name: "job",
    title: "Job",
    type: "number",
    width: 84,
    sort: true,
    value: (a) => a.job,
    render: (a) => <a href={link("jobs", a.job)}>{a.job}</a>,
  },
];

function Troubles(props: { list: Trouble[] }): VNode | null {
  const [sort, setSort] = useState("-when");
  const source = useRows(props.list, TROUBLE_COLUMNS, sort);
  if (props.list.length === 0) return null;
  return (
    <Card title={`What went wrong in this time (${integer(props.list.length)})`}>
      <DataTable
        label="Attempts that went wrong"
        columns={TROUBLE_COLUMNS}
        source={source}
        rowKey={(a) => `${a.worker} ${a.job} ${a.start_ms}`}
        sort={sort}
        onSort={setSort}
        onOpen={(a) => go(link("jobs", a.job))}
        height={250}
        chooser={false}
      />
    </Card>
  );
}

const WORKER_COLUMNS: Column<Worker>[] = [
  {
    name: "name",
    title: "Worker",
    width: 170,
    sort: true,
    fixed: true,
    value: (w) => w.name,
    render: (w) => (
      <strong class="worker-name clip" title={w.name}>
        {w.name}
      </strong>
    ),
  },
  {
    name: "state",
    title: "State",
    width: 100,
    sort: true,
    value: workerState,
    render: (w) => <WorkerState worker={w} />,
  },
  {
    name: "slots",
    title: "Slots",
    width: 130,
    sort: true,
    value: (w) => w.slots,
    render: (w) => <Slots slots={w.slots} running={w.running} />,
  },
  {
    name: "running",
    title: "Running",
    type: "number",
    width: 92,
    sort: true,
    value: (w) => w.running,
    render: (w) => integer(w.running),
  },
  {
    name: "waiting",
    title: "Waiting",
    hint: "Jobs it has taken and not begun",
    type: "number",
    width: 92,
    sort: true,
    value: (w) => w.waiting,
    render: (w) => integer(w.waiting),
  },
  {
    name: "busy",
    title: "Busy",
    width: 110,
    sort: true,
    value: (w) => w.busy,
    render: (w) => (w.busy === null ? "–" : <ShareBar share={w.busy}>{share(w.busy, 0)}</ShareBar>),
  },
  {
    name: "done",
    title: "Done",
    type: "number",
    width: 84,
    sort: true,
    value: (w) => w.done,
    render: (w) => integer(w.done),
  },
  {
    name: "failed",
    title: "Failed",
    type: "number",
    width: 76,
    sort: true,
    value: (w) => w.failed,
    render: (w) => <span class={w.failed > 0 ? "bad-text" : ""}>{integer(w.failed)}</span>,
  },
  {
    name: "work",
    title: "Work",
    hint: "Time of all its attempts",
    type: "number",
    width: 100,
    sort: true,
    shown: false,
    value: (w) => w.busy_s,
    render: (w) => duration(w.busy_s),
  },
  { name: "now", title: "Now", width: 160, value: (w) => w.jobs[0]?.step, render: (w) => nowText(w) },
  {
    name: "seen",
    title: "Last seen",
    width: 100,
    sort: true,
    value: (w) => w.last_seen_ms,
    render: (w) => <Ago at={w.last_seen_ms} />,
  },
  {
    name: "first",
    title: "Since",
    width: 100,
    sort: true,
    shown: false,
    value: (w) => w.first_ms,
    render: (w) => <Ago at={w.first_ms} />,
  },
  {
    name: "host",
    title: "Host",
    width: 130,
    sort: true,
    value: (w) => w.host,
    render: (w) => <span title={w.host}>{w.host}</span>,
  },
  {
    name: "pid",
    title: "Pid",
    type: "number",
    width: 76,
    sort: true,
    shown: false,
    value: (w) => w.pid,
    render: (w) => String(w.pid),
  },
  {
    name: "version",
    title: "Version",
    width: 90,
    sort: true,
    shown: false,
    value: (w) => w.version,
    render: (w) => w.version,
  },
];

function nowText(w: Worker): VNode | string {
  const job = w.jobs[0];
  if (job === undefined) return w.here ? "–" : typeof w.gone === "string" ? w.gone : "–";
  return (
    <>
      <a href={link("jobs", job.job)}>{job.step || job.kind}</a>{" "}
      <span class="muted">
        {durationShort(job.seconds)}
        {w.jobs.length > 1 ? ` and ${w.jobs.length - 1} more` : ""}
      </span>
    </>
  );
}

function WorkersTable(props: { workers: Worker[] }): VNode {
  const [sort, setSort] = useState("");
  const [gone, setGone] = useRemembered("workers.gone", true);
  const list = useMemo(() => (gone ? props.workers : props.workers.filter((w) => w.here)), [props.workers, gone]);
  const source = useRows(list, WORKER_COLUMNS, sort);
  const here = props.workers.filter((w) => w.here).length;
  return (
    <Card title="All workers" actions={<span>{plural(here, "is", "are")} here</span>}>
      <DataTable
        label="Workers"
        columns={WORKER_COLUMNS}
        source={source}
        rowKey={(w) => w.id}
        sort={sort}
        onSort={setSort}
        height={460}
        what="workers"
        rowTone={(w) => (w.here ? undefined : "gone-row")}
        toolbar={
          <label class="check">
            <input type="checkbox" checked={gone} onChange={(event) => setGone(event.currentTarget.checked)} /> also
            those that are gone
          </label>
        }
        empty={
          <Empty title="No workers yet">
            Start one: <code>drover worker</code>.
          </Empty>
        }
      />
    </Card>
  );
}
