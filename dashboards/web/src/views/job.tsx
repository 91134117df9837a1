// SPDX-License-Identifier: Apache-2.0
// One job: its state and why, attempts, log, what it was given and what it made.
import type { ComponentChildren, VNode } from "preact";
import { useState } from "preact/hooks";
import { Ago, Answer, Badge, Card, Clock, CopyButton, Empty, Facts, LongText, State } from "../components/basics";
import { ShareBar } from "../components/bars";
import { Log } from "../components/log";
import { PlainTable } from "../components/plain_table";
import type { Column } from "../components/table_columns";
import { useData } from "../lib/data";
import { duration, durationShort, integer } from "../lib/format";
import { useTitle } from "../lib/hooks";
import { Need, needsOf, whyOf } from "../lib/job";
import { badTone, outcomeWord } from "../lib/outcomes";
import { link } from "../lib/router";
import type { Attempt, JobDocument } from "../lib/types";

export function JobView(props: { id: number }): VNode {
  const answer = useData<JobDocument>(`jobs/${props.id}`, undefined, { live: "all" });
  useTitle("Job " + props.id);
  return (
    <Answer of={answer} height={500} lines={8}>
      {(d) => <Page d={d} />}
    </Answer>
  );
}

function experimentOf(d: JobDocument): { id: number | null; name: string } | null {
  const from = [d.job, ...d.runs].find((x) => typeof x.experiment === "string");
  if (from === undefined || typeof from.experiment !== "string") return null;
  return { id: from.experiment_id ?? null, name: from.experiment };
}

function Page(props: { d: JobDocument }): VNode {
  const { d } = props;
  const { job } = d;
  const experiment = experimentOf(d);
  const runs = d.running !== null && d.running !== undefined;
  const state = runs ? "running" : Number(job.diverged ?? 0) > 0 ? "diverged" : job.state;
  const bad = /fail|diverg|quarant/i.test(state);
  const cause = d.attempts.find((a) => badTone(a.outcome) !== null && a.text !== null && a.text !== "")?.text ?? "";
  const step = job.step ?? job.kind;
  return (
    <div class="stack">
      <header>
        <nav class="crumbs" aria-label="Path">
          <a href={link()}>Experiments</a>
          {experiment !== null && (
            <a href={experiment.id === null ? link() : link("experiments", experiment.id)}>
              {experiment.name.slice(0, 120)}
            </a>
          )}
          {experiment !== null && experiment.id !== null && (
            <a href={link("experiments", experiment.id, "jobs", { step })}>{step}</a>
          )}
        </nav>
        <div class="experiment-title">
          <h1>Job {job.job}</h1>
          <State state={state} />
          <span class="muted">
            {step} · {job.kind}
          </span>
        </div>
      </header>
      {bad && cause !== "" && (
        <div class="error-note" role="note">
          <LongText text={cause.slice(0, 20000)} lines={4} />
        </div>
      )}
      <Running d={d} />
      <Why d={d} />
      <div class="job-columns">
        <div class="stack">
          <Attempts list={d.attempts} />
          <LogCard d={d} />
        </div>
        <div class="stack">
          <Card title="What it is">
            <div class="card-body">
              <Facts
                items={[
                  [
                    "Key",
                    <span class="key-line">
                      <code class="clip" title={job.key}>
                        {job.key}
                      </code>{" "}
                      <CopyButton text={job.key} />
                    </span>,
                  ],
                  ["Runs", runsOf(d.runs.map((r) => r.run))],
                  [
                    "Tries",
                    `${integer(job.tries)}${job.retries === undefined ? "" : ` of at most ${integer(job.retries + 1)}`}${job.losses > 0 ? `, ${integer(job.losses)} lost` : ""}`,
                  ],
                  job.seed !== null && job.seed !== undefined && (["Seed", String(job.seed)] as const),
                  ["Priority", String(job.priority)],
                  ["Submitted", <Ago at={job.submitted_ms} />],
                ]}
              />
            </div>
          </Card>
          <Needs d={d} />
          <Values title="Parameters" value={params(job.params)} />
          <Values title="Inputs" value={d.inputs} />
          <Values title="Outputs" value={d.outputs} />
        </div>
      </div>
    </div>
  );
}

function runsOf(runs: readonly number[] | null | undefined): ComponentChildren {
  if (runs === null || runs === undefined || runs.length === 0) return "none";
  return runs.slice(0, 12).map((r, k) => (
    <>
      {k > 0 && ", "}
      <a href={link("runs", r)}>{r}</a>
    </>
  ));
}

function Why(props: { d: JobDocument }): VNode | null {
  const why = whyOf(props.d);
  if (why.length === 0) return null;
  return (
    <Card title="Why it does not run yet">
      <ol class="why-rules">
        {why.map((w, k) => (
          <li key={k}>
            <Badge tone="idle">{w.rule}</Badge> <span>{w.text}</span>
          </li>
        ))}
      </ol>
    </Card>
  );
}

function Running(props: { d: JobDocument }): VNode | null {
  const r = props.d.running;
  if (r === null || r === undefined) return null;
  const share = typeof r.done === "number" && typeof r.total === "number" && r.total > 0 ? r.done / r.total : null;
  return (
    <Card label="What runs now">
      <div class="card-body row">
        <State state="running" />
        <span>
          on <strong>{r.worker ?? "a worker"}</strong> for {duration(r.seconds)}
        </span>
        {share !== null && (
          <span class="running-share">
            <ShareBar share={share}>
              {integer(r.done)} of {integer(r.total)} {r.what ?? ""}
            </ShareBar>
          </span>
        )}
      </div>
    </Card>
  );
}

/** "name = value" lines as members. */
function params(text: string | null): Record<string, string> | string | null {
  if (text === null || text === "") return null;
  const found: Record<string, string> = {};
  for (const line of text.trimEnd().split("\n")) {
    const cut = line.indexOf(" = ");
    if (cut <= 0) return text;
    found[line.slice(0, cut)] = line.slice(cut + 3).replace(/^"(.*)"$/, "$1");
  }
  return found;
}

const ATTEMPT_COLUMNS: Column<Attempt>[] = [
  { name: "attempt", title: "Attempt", type: "number", render: (a) => String(a.attempt) },
  {
    name: "outcome",
    title: "Outcome",
    render: (a) => (
      <Badge tone={a.outcome === null || a.outcome === "RUNNING" ? "busy" : (badTone(a.outcome) ?? "good")}>
        {outcomeWord(a.outcome)}
      </Badge>
    ),
  },
  { name: "worker", title: "Worker", render: (a) => <span class="nowrap">{a.worker ?? "–"}</span> },
  {
    name: "started",
    title: "Started",
    render: (a) => (
      <span class="nowrap">
        <Clock at={a.started_ms} />
      </span>
    ),
  },
  {
    name: "lasted",
    title: "Lasted",
    type: "number",
    render: (a) => (
      <span class="nowrap">
        {durationShort(
          a.seconds ?? (a.started_ms === null ? null : ((a.ended_ms ?? Date.now()) - a.started_ms) / 1000),
        )}
      </span>
    ),
  },
  {
    name: "cpu",
    title: "CPU",
    type: "number",
    render: (a) => <span class="nowrap">{durationShort(a.cpu_seconds)}</span>,
  },
  {
    name: "cause",
    title: "Cause",
    render: (a) => (a.text === null || a.text === "" ? "–" : <LongText text={a.text.slice(0, 20000)} lines={2} />),
  },
  { name: "environment", title: "Environment", render: (a) => <span class="muted">{a.environment ?? "–"}</span> },
];

function Attempts(props: { list: readonly Attempt[] }): VNode {
  return (
    <Card title={`Attempts (${props.list.length})`}>
      {props.list.length === 0 ? (
        <Empty title="Not tried yet" />
      ) : (
        <PlainTable label="Attempts" columns={ATTEMPT_COLUMNS} rows={props.list} rowKey={(a) => a.attempt} />
      )}
    </Card>
  );
}

function LogCard(props: { d: JobDocument }): VNode {
  const [find, setFind] = useState("");
  const log = props.d.log;
  const text = log === null || log === undefined ? null : typeof log === "string" ? log : log.text;
  const of = log !== null && typeof log === "object" && log.attempt !== undefined ? ` of attempt ${log.attempt}` : "";
  if (text === null || text === "") {
    return (
      <Card title="Log">
        <Empty title="No log is kept">Logs of attempts that went well are not kept for ever.</Empty>
      </Card>
    );
  }
  return (
    <Card
      title={"Log" + of}
      actions={
        <>
          <input
            type="search"
            data-filter
            class="find"
            aria-label="Lines with"
            placeholder="Lines with"
            value={find}
            onInput={(event) => setFind(event.currentTarget.value)}
          />
          <CopyButton text={text} />
        </>
      }
    >
      <Log text={text} label={"Text of the log" + of} find={find} />
    </Card>
  );
}

const NEED_COLUMNS: Column<Need>[] = [
  { name: "id", title: "Job", type: "number", render: (n) => <a href={link("jobs", n.id)}>{n.id}</a> },
  { name: "step", title: "Step", render: (n) => n.step },
  { name: "state", title: "State", render: (n) => <State state={n.state} /> },
];

function Needs(props: { d: JobDocument }): VNode | null {
  const needs = needsOf(props.d);
  if (needs.length === 0) return null;
  return (
    <Card title={`Needs (${needs.length})`}>
      <PlainTable
        label="Jobs it needs"
        columns={NEED_COLUMNS}
        rows={needs.slice(0, 100)}
        rowKey={(n, k) => `${n.id} ${k}`}
      />
    </Card>
  );
}

/** Any JSON: an object's members as figures, the rest as text. */
function Values(props: { title: string; value: unknown }): VNode | null {
  const { value } = props;
  if (value === null || value === undefined) return null;
  if (Array.isArray(value) ? value.length === 0 : typeof value === "object" && Object.keys(value).length === 0)
    return null;
  const rows: [string, unknown][] = Array.isArray(value)
    ? value.slice(0, 200).map((v, k) => [nameOf(v, k), v])
    : typeof value === "object"
      ? Object.entries(value)
      : [["value", value]];
  return (
    <Card title={props.title} actions={<CopyButton text={JSON.stringify(value, null, 2)} label="Copy JSON" />}>
      <div class="card-body">
        <Facts
          items={rows.slice(0, 200).map(([name, v]) => [name, <LongText text={textOf(v)} lines={3} />] as const)}
        />
      </div>
    </Card>
  );
}

function nameOf(v: unknown, k: number): string {
  if (typeof v === "object" && v !== null && "name" in v && typeof v.name === "string") return v.name;
  return String(k + 1);
}

function textOf(v: unknown): string {
  if (typeof v === "string") return v.slice(0, 20000);
  if (v === null || typeof v !== "object") return String(v);
  return JSON.stringify(v).slice(0, 20000);
}
