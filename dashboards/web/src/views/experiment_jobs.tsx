// SPDX-License-Identifier: Apache-2.0
// The jobs of an experiment, of one step or state.
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { Select, State } from "../components/basics";
import { DataTable } from "../components/table";
import type { Column } from "../components/table_columns";
import type { Source } from "../components/table_rows";
import { get } from "../lib/api";
import { cut, duration, integer } from "../lib/format";
import { go, link, queryText, useQuery } from "../lib/router";
import type { JobRow, JobsPage } from "../lib/types";
import type { ExperimentViewProps } from "../shell/experiment_frame";

export const jobStates = [
  "running",
  "ready",
  "waiting",
  "done",
  "diverged",
  "failed",
  "skipped",
  "cancelled",
] as const;

const columns: Column<JobRow>[] = [
  {
    name: "id",
    title: "Job",
    type: "number",
    width: 84,
    fixed: true,
    render: (j) => <a href={link("jobs", j.id)}>{j.id}</a>,
  },
  { name: "step", title: "Step", width: 120, render: (j) => cut(j.step, 40) },
  { name: "kind", title: "Kind", width: 90, render: (j) => j.kind },
  {
    name: "state",
    title: "State",
    width: 110,
    render: (j) => <State state={j.running ? "running" : j.state.toLowerCase()} />,
  },
  {
    name: "runs",
    title: "Runs",
    width: 120,
    render: (j) =>
      j.runs.slice(0, 3).map((r, k) => (
        <span key={r}>
          {k > 0 && ", "}
          <a href={link("runs", r)}>{r}</a>
        </span>
      )),
  },
  { name: "what", title: "Does", width: 160, render: (j) => cut(j.what ?? "", 80) },
  { name: "tries", title: "Tries", type: "number", width: 64, render: (j) => integer(j.tries) },
  {
    name: "losses",
    title: "Losses",
    type: "number",
    width: 70,
    hint: "How often its worker went away",
    render: (j) => integer(j.losses),
  },
  { name: "seconds", title: "Time", type: "number", width: 92, render: (j) => duration(j.seconds) },
  { name: "priority", title: "Priority", type: "number", width: 78, shown: false, render: (j) => j.priority },
  {
    name: "text",
    title: "Says",
    width: 300,
    render: (j) => (
      <span class="cell-cut" title={cut(j.text ?? "", 600)}>
        {cut(j.text ?? "", 200)}
      </span>
    ),
  },
];

export function JobsView(props: ExperimentViewProps): VNode {
  const { id, doc } = props;
  const [query, change] = useQuery();
  const question = { step: query.get("step"), state: query.get("state") };
  const key = `${id} ${queryText(question)}`;
  const source = useMemo(
    (): Source<JobRow> => ({
      key,
      far: true,
      load: async (after, limit, signal, skip) => {
        const page = await get<JobsPage>(`experiments/${id}/jobs`, { ...question, after, limit, skip: skip === 0 ? null : skip }, signal);
        return {
          rows: page.jobs,
          next: page.next === null ? null : String(page.next),
          matched: page.matched ?? null,
          total: null,
        };
      },
    }),
    [key],
  );
  return (
    <DataTable
      label="Jobs"
      what="jobs"
      columns={columns}
      source={source}
      rowKey={(j) => j.id}
      onOpen={(j) => go(link("jobs", j.id))}
      rowTone={(j) => (/failed/i.test(j.state) ? "row-bad" : undefined)}
      toolbar={
        <>
          <Select
            label="Step"
            value={question.step ?? ""}
            options={[{ value: "", title: "all" }, ...doc.steps.map((s) => s.step)]}
            onChange={(v) => change({ step: v })}
          />
          <Select
            label="State"
            value={question.state ?? ""}
            options={[{ value: "", title: "all" }, ...jobStates]}
            onChange={(v) => change({ state: v })}
          />
        </>
      }
    />
  );
}
