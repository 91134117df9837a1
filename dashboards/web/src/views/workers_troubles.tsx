// SPDX-License-Identifier: Apache-2.0
// Attempts that went wrong in a span of time, in a table.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { Card, Clock } from "../components/basics";
import { DataTable } from "../components/table";
import type { Column } from "../components/table_columns";
import { useRows } from "../components/table_rows";
import { durationShort, integer } from "../lib/format";
import { badTone, outcomeWord } from "../lib/outcomes";
import { go, link } from "../lib/router";
import type { TimelineAttempt } from "../lib/types";

export type Trouble = TimelineAttempt & { worker: string };

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

export function Troubles(props: { list: Trouble[] }): VNode | null {
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
