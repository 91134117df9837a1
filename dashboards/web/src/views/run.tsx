// SPDX-License-Identifier: Apache-2.0
// One run: what it was given, what came of it by task, its jobs and its training curves.
import "../styles/science.css";
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { Answer, Card, Empty, Facts, LongText, Select, State } from "../components/basics";
import { Chart } from "../components/chart";
import { PlainTable } from "../components/plain_table";
import type { Column } from "../components/table_columns";
import { useData } from "../lib/data";
import { bare } from "../lib/columns";
import { cell, cut, duration, fullTime, integer } from "../lib/format";
import { useTitle } from "../lib/hooks";
import { asWritten, brief, measureLook, measureText } from "../lib/measures";
import { link, useQuery } from "../lib/router";
import type { Cell, Curves, MetricName, RunsPage } from "../lib/types";

type Row = Record<string, Cell>;

interface RunAnswer {
  run?: Row;
  experiment: { id: number; name: string } | null;
  params: Record<string, Cell>;
  measures?: Record<string, Cell>;
  steps?: Row[];
  jobs: Row[];
  results?: Row[];
  scores?: Row[];
  labels?: Row[];
  metrics?: Row[];
  training?: Row[];
  environments?: Row[];
  failures?: Row[];
  jobs_of?: number;
}

const hidden = /^(family|key|point|digest|examples|version)$/;
const JOBS_MAX = 200;

function shares(name: string): boolean {
  return measureLook(name).scale === 100 || /^(accuracy_norm|base|oracle|lo|hi|value)$/.test(name);
}

function text(name: string, value: Cell | undefined): string {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return cut(cell(bare(value)), 200);
  if (/_ms$/.test(name)) return fullTime(value);
  if (name === "seconds") return duration(value);
  if (shares(name) && value >= -1 && value <= 1 && name !== "value")
    return measureText(value, measureLook("accuracy"), true);
  return Number.isInteger(value) ? integer(value) : cell(value);
}

// Columns for rows of any form: those that some row has something in.
function anyColumns(rows: Row[], first: string[]): Column<Row>[] {
  const names = [...new Set([...first, ...rows.flatMap((r) => Object.keys(r))])].filter(
    (n) => !hidden.test(n) && rows.some((r) => r[n] !== null && r[n] !== undefined && r[n] !== ""),
  );
  return names.slice(0, 14).map((name) => {
    const numeric = rows.every(
      (r) => r[name] === null || r[name] === undefined || typeof r[name] === "number",
    );
    return {
      name,
      title: shares(name) && numeric && name !== "value" ? `${name} %` : name,
      type: numeric ? "number" : "text",
      sort: true,
      value: (r) => r[name] ?? null,
      render: (r) =>
        name === "job" && typeof r[name] === "number" ? (
          <a href={link("jobs", r[name])}>{r[name]}</a>
        ) : (
          text(name, r[name])
        ),
    };
  });
}

function Results(props: { title: string; rows: Row[] | undefined; first: string[] }): VNode | null {
  const rows = props.rows ?? [];
  if (rows.length === 0) return null;
  return (
    <Card title={props.title}>
      <PlainTable
        label={`${props.title}, table`}
        rows={rows.slice(0, 400)}
        rowKey={(_, k) => k}
        columns={anyColumns(rows, props.first)}
      />
    </Card>
  );
}

// One row per step and task, one column per metric.
function Metrics(props: { rows: Row[] | undefined }): VNode | null {
  const list = props.rows ?? [];
  const names = [...new Set(list.map((r) => String(r["metric"] ?? "")))].filter((n) => n !== "").slice(0, 24);
  const by_place = new Map<string, Row>();
  for (const r of list) {
    const key = JSON.stringify([r["step"], r["task"], r["level"], r["split"]]);
    const one = by_place.get(key) ?? {
      step: r["step"] ?? null,
      task: r["task"] ?? null,
      level: r["level"] ?? null,
      split: r["split"] ?? null,
      n: r["n"] ?? null,
    };
    one[`m ${String(r["metric"])}`] = r["value"] ?? null;
    one[`e ${String(r["metric"])}`] = r["stderr"] ?? null;
    by_place.set(key, one);
  }
  const rows = [...by_place.values()];
  if (rows.length === 0) return null;
  return (
    <Card title="Metrics">
      <PlainTable
        label="Metrics by step and task"
        rows={rows}
        rowKey={(_, k) => k}
        columns={[
          ...anyColumns(
            rows.map(({ step, task, level, split, n }) => ({
              step: step ?? null,
              task: task ?? null,
              level: level ?? null,
              split: split ?? null,
              n: n ?? null,
            })),
            [],
          ),
          ...names.map((name): Column<Row> => {
            const look = measureLook(name);
            return {
              name,
              title: look.scale === 100 ? `${name} %` : name,
              type: "number",
              sort: true,
              value: (r) => r[`m ${name}`] ?? null,
              render: (r) => {
                const [v, e] = [r[`m ${name}`], r[`e ${name}`]];
                if (typeof v !== "number") return "–";
                const error =
                  typeof e === "number" && e > 0
                    ? ` ± ${brief(Number((e * look.scale).toPrecision(2)))}`
                    : "";
                return (
                  <>
                    {look.scale === 100 ? measureText(v, look, true) : brief(v)}
                    <span class="muted">{error}</span>
                  </>
                );
              },
            };
          }),
        ]}
      />
      <p class="notes">±: standard error</p>
    </Card>
  );
}

function Jobs(props: { rows: Row[] }): VNode {
  const rows = props.rows.slice(0, JOBS_MAX);
  const id = (r: Row): number => Number(r["id"] ?? r["job"]);
  return (
    <Card title="Jobs">
      <PlainTable
        label="Jobs of the run"
        rows={rows}
        rowKey={(r) => id(r)}
        rowTone={(r) => (/failed/i.test(String(r["state"])) ? "row-bad" : undefined)}
        empty={<Empty title="No jobs" />}
        columns={[
          {
            name: "id",
            title: "Job",
            type: "number",
            render: (r) => <a href={link("jobs", id(r))}>{id(r)}</a>,
            sort: true,
            value: id,
          },
          {
            name: "step",
            title: "Step",
            render: (r) => cut(String(r["step"] ?? ""), 60),
            sort: true,
            value: (r) => r["step"] ?? null,
          },
          { name: "kind", title: "Kind", render: (r) => String(r["kind"] ?? "") },
          {
            name: "state",
            title: "State",
            render: (r) => <State state={String(r["state"] ?? "").toLowerCase()} />,
            sort: true,
            value: (r) => r["state"] ?? null,
          },
          {
            name: "range",
            title: "Examples",
            render: (r) =>
              typeof r["range_end"] === "number" && r["range_end"] > 0
                ? `${integer(Number(r["range_begin"]))}–${integer(r["range_end"] - 1)}`
                : "",
          },
          {
            name: "attempts",
            title: "Attempts",
            type: "number",
            render: (r) => integer(typeof r["attempts"] === "number" ? r["attempts"] : null),
          },
          {
            name: "seconds",
            title: "Time",
            type: "number",
            sort: true,
            value: (r) => r["seconds"] ?? null,
            render: (r) => duration(typeof r["seconds"] === "number" ? r["seconds"] : null),
          },
          { name: "worker", title: "Worker", render: (r) => cut(String(r["worker"] ?? ""), 40) },
          { name: "text", title: "Says", render: (r) => cut(String(r["text"] ?? r["what"] ?? ""), 160) },
        ]}
      />
      {props.rows.length > JOBS_MAX && <p class="muted">and {integer(props.rows.length - JOBS_MAX)} more</p>}
    </Card>
  );
}

function Training(props: { experiment: number; run: number; metrics: MetricName[] }): VNode | null {
  const [query, change] = useQuery();
  const names = [...new Set(props.metrics.map((m) => m.metric))];
  const first = names.find((n) => /reward$/.test(n)) ?? names.find((n) => /acc/.test(n)) ?? names[0] ?? "";
  const metric = query.get("metric") ?? first;
  const curves = useData<Curves>(metric === "" ? null : `experiments/${props.experiment}/curves`, {
    metric,
    filter: [`run~eq~${props.run}`],
    each: 1,
  });
  const scale = measureLook(metric).scale;
  const series = useMemo(
    () =>
      (curves.data?.groups ?? []).map((g, k) => ({
        name: (curves.data?.groups.length ?? 0) === 1 ? metric : `${cut(g.name, 60)} (${k + 1})`,
        x: g.points.map((p) => p[0]),
        y: g.points.map((p) => (p[1] === null ? null : p[1] * scale)),
        colour: k,
      })),
    [curves.data],
  );
  const stages = useMemo(() => {
    const list = curves.data?.stages ?? [];
    return list.length > 1 ? list.map((s) => ({ from: s.from, to: s.to, label: s.label })) : undefined;
  }, [curves.data]);
  if (metric === "") return null;
  return (
    <Card
      title="Training"
      actions={
        <Select
          label="Metric"
          value={metric}
          options={[...new Set([metric, ...names])]}
          onChange={(v) => change({ metric: v === first ? null : v })}
        />
      }
    >
      <div class="card-body">
        <Answer of={curves} height={300} lines={3}>
          {() => (
            <Chart
              label={`${metric} of run ${props.run}`}
              series={series}
              xLabel="Training step"
              yLabel={measureLook(metric).unit === "%" ? `${cut(metric, 40)} (%)` : cut(metric, 40)}
              yFormat={brief}
              height={240}
              {...(stages === undefined ? {} : { stages })}
            />
          )}
        </Answer>
      </div>
    </Card>
  );
}

type Home = RunAnswer["experiment"];

// The measures of the table of runs, for a server that does not give them with the run.
function useMeasures(d: RunAnswer | null, home: Home, run: number): Record<string, Cell> {
  const row = useData<RunsPage>(
    d === null || d.measures !== undefined || home === null ? null : `experiments/${home.id}/runs`,
    {
      filter: [`run~eq~${run}`],
      limit: 1,
      superseded: 1,
    },
  );
  return useMemo(() => {
    if (d?.measures !== undefined) return d.measures;
    const page = row.data;
    const found = page?.rows.find((r) => r.run === run);
    if (page === null || page === undefined || found === undefined) return {};
    return Object.fromEntries(
      page.columns
        .map((c, k) => [c, found.values[k] ?? null] as const)
        .filter(([c]) => !/^(param|run)$/.test(c.kind))
        .map(([c, v]) => [c.name, v]),
    );
  }, [d, row.data]);
}

function Body(props: {
  id: number;
  d: RunAnswer;
  home: Home;
  metrics: MetricName[];
  measures: Record<string, Cell>;
}): VNode {
  const { d, home } = props;
  const measures = Object.entries(props.measures).filter(([k, v]) => v !== null && k !== "state");
  const failures = d.failures ?? [];
  return (
    <div class="stack">
      {failures.length > 0 && (
        <Card title="What went wrong" class="card-bad">
          <PlainTable
            label="Failures, table"
            rows={failures}
            rowKey={(_, k) => k}
            columns={anyColumns(failures, ["step", "job", "outcome", "text"])}
          />
        </Card>
      )}
      <div class="two-columns">
        <Card title="Parameters">
          <div class="card-body">
            {Object.keys(d.params).length === 0 ? (
              <p class="muted">The recipe sweeps nothing: all is in its text.</p>
            ) : (
              <Facts
                items={Object.entries(d.params).map(
                  ([k, v]) =>
                    [
                      k,
                      <LongText
                        key={k}
                        text={typeof v === "number" ? asWritten(v) : cell(bare(v))}
                        lines={3}
                      />,
                    ] as const,
                )}
              />
            )}
          </div>
        </Card>
        <Card title="Measures">
          <div class="card-body">
            {measures.length > 0 ? (
              <Facts
                items={measures.map(
                  ([k, v]) => [shares(k) && typeof v === "number" ? `${k} %` : k, text(k, v)] as const,
                )}
              />
            ) : (
              <p class="muted">Nothing was measured yet.</p>
            )}
          </div>
        </Card>
      </div>
      <Results
        title="Results by task"
        rows={d.results ?? d.scores}
        first={["step", "method", "task", "level", "split", "n", "accuracy"]}
      />
      <Results title="Labels" rows={d.labels} first={["step", "task", "level", "split"]} />
      {home !== null && props.metrics.length > 0 && (
        <Training experiment={home.id} run={props.id} metrics={props.metrics} />
      )}
      <Metrics rows={d.metrics} />
      <Jobs rows={d.jobs} />
      <Results title="Environments" rows={d.environments} first={["environment", "class", "jobs"]} />
    </div>
  );
}

export function RunView(props: { id: number }): VNode {
  const run = useData<RunAnswer>(`runs/${props.id}`);
  const d = run.data;
  const home = d?.experiment ?? null;
  useTitle(`Run ${props.id}`);
  const document = useData<{ metrics: MetricName[] }>(home === null ? null : `experiments/${home.id}`);
  const reported = new Set((d?.training ?? []).map((t) => String(t["metric"])));
  const metrics = (document.data?.metrics ?? []).filter((m) => reported.size === 0 || reported.has(m.metric));
  const measured = useMeasures(d, home, props.id);
  const seed = d?.run?.["seed"];
  const state = d?.run?.["state"] ?? measured["state"];
  return (
    <div class="run">
      <header class="page-head">
        <nav class="crumbs run-crumbs" aria-label="Path">
          <a href={link()}>Experiments</a>
          {home !== null && <a href={link("experiments", home.id, "runs")}>{cut(home.name, 80)}</a>}
        </nav>
        <h1>Run {props.id}</h1>
        {typeof state === "string" && <State state={state} />}
        {typeof seed === "number" && <span class="muted">seed {seed}</span>}
        {home !== null && (d?.labels ?? []).length > 0 && (
          <span class="push">
            <a class="button small" href={link("experiments", home.id, "examples", { run: props.id })}>
              Its labels
            </a>
          </span>
        )}
      </header>
      <Answer of={run} height={400} lines={8}>
        {(doc) => <Body id={props.id} d={doc} home={home} metrics={metrics} measures={measured} />}
      </Answer>
    </div>
  );
}
