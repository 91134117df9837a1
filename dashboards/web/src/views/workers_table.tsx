// SPDX-License-Identifier: Apache-2.0
// All workers, in a table.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { Ago, Card, Empty } from "../components/basics";
import { ShareBar } from "../components/bars";
import { DataTable } from "../components/table";
import type { Column } from "../components/table_columns";
import { useRows } from "../components/table_rows";
import { duration, durationShort, integer, plural, share } from "../lib/format";
import { useRemembered } from "../lib/hooks";
import { link } from "../lib/router";
import type { Worker } from "../lib/types";
import { Slots, WorkerState, workerState } from "./overview_workers";

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

export function WorkersTable(props: { workers: Worker[] }): VNode {
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
