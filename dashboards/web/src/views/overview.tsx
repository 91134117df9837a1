// SPDX-License-Identifier: Apache-2.0
// Everything at a glance: experiments, workers, what happened last.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { Ago, Answer, Badge, Card, Empty, Stat, State } from "../components/basics";
import { Spark } from "../components/bars";
import { ProgressBar } from "../components/progress";
import { useData } from "../lib/data";
import { bytes, durationShort, integer, plural, progress, rate } from "../lib/format";
import { useRemembered, useTitle } from "../lib/hooks";
import { outcomeWord } from "../lib/outcomes";
import { link } from "../lib/router";
import type { Experiment, Overview } from "../lib/types";
import { Events } from "./overview_events";
import { WorkerCards } from "./overview_workers";

export function OverviewView(): VNode {
  useTitle("Overview");
  const overview = useData<Overview>("overview", undefined, {
    live: "all",
    again: (o) => (o.ready === false ? 1000 : 0),
  });
  return (
    <div class="stack overview">
      <h1 class="off-screen">Overview</h1>
      <Answer of={overview} height={600} lines={9}>
        {(o) => (
          <div class="stack">
            <Head overview={o} />
            {o.ready === false && (
              <p class="muted" role="status">
                Reading the store: {progress(o.loaded ?? 0, 1)}. The figures below grow until then.
              </p>
            )}
            <Experiments list={o.experiments} all={o.experiments_all ?? o.experiments.length} />
            <div class="overview-columns">
              <WorkerCards workers={o.workers} coordinator={o.coordinator} />
              <Events events={o.events} />
            </div>
          </div>
        )}
      </Answer>
    </div>
  );
}

function sum(list: Experiment[], name: "running" | "ready" | "failed"): number {
  return list.reduce((n, e) => n + e[name], 0);
}

function Head(props: { overview: Overview }): VNode {
  const o = props.overview;
  const slots = o.totals.slots ?? o.workers.reduce((n, w) => n + (w.here ? (w.slots ?? 0) : 0), 0);
  const here = o.workers.filter((w) => w.here).length;
  const running = o.totals.running ?? sum(o.experiments, "running");
  return (
    <div class="overview-head">
      <div class="stats">
        <Stat name="Throughput">{rate(o.totals.done_per_s ?? 0)}</Stat>
        <Stat name="Running">{integer(running)}</Stat>
        <Stat name="Ready to run">{integer(o.totals.ready ?? sum(o.experiments, "ready"))}</Stat>
        <Stat name="Slots in use">
          {integer(Math.min(running, slots || running))}
          <span class="stat-of"> of {integer(slots)}</span>
        </Stat>
        <Stat name="Workers">{integer(here)}</Stat>
      </div>
      <div class="overview-where">
        <CoordinatorLine overview={o} />
        <span class="clip" title={o.store.path}>
          {o.store.path} · {bytes(o.store.bytes)}
          {o.store.wal_bytes > 8 << 20 && <> · log {bytes(o.store.wal_bytes)}</>}
        </span>
      </div>
    </div>
  );
}

function CoordinatorLine(props: { overview: Overview }): VNode {
  const c = props.overview.coordinator;
  if (c === null) return <State state="no coordinator: nothing runs" />;
  if (c.why !== null && c.why !== undefined && c.why !== "") {
    return (
      <span class="clip" title={c.why}>
        <Badge tone="warn">coordinator silent</Badge> {c.why}
      </span>
    );
  }
  return (
    <span class="clip" title={`coordinator ${c.pid} at ${c.endpoint}`}>
      <span class="state tone-good">
        <i class="dot" aria-hidden="true" />
        coordinator
      </span>{" "}
      {c.endpoint}
    </span>
  );
}

const SHOWN_FIRST = 30;

function Experiments(props: { list: Experiment[]; all: number }): VNode {
  const [find, setFind] = useState("");
  const [everything, setEverything] = useRemembered("overview.all", false);
  const word = find.trim().toLowerCase();
  const found = props.list.filter((e) => word === "" || e.name.toLowerCase().includes(word) || e.state === word);
  const shown = everything ? found : found.slice(0, SHOWN_FIRST);
  return (
    <Card
      title="Experiments"
      actions={
        <>
          {props.list.length > 3 && (
            <input
              type="search"
              data-filter
              class="find"
              aria-label="Find an experiment"
              placeholder="Find"
              value={find}
              onInput={(event) => setFind(event.currentTarget.value)}
            />
          )}
          <span>{plural(props.all, "experiment")}</span>
        </>
      }
    >
      {props.list.length === 0 ? (
        <Empty title="No experiments yet">
          Submit one and it appears here: <code>drover submit recipe.toml</code>. To see how one looks:{" "}
          <code>drover quickstart</code>.
        </Empty>
      ) : (
        <div class="exp-scroll">
          <table class="exp-table">
            <caption class="off-screen">Experiments</caption>
            <thead>
              <tr>
                <th scope="col">Experiment</th>
                <th scope="col">Jobs</th>
                <th scope="col">Problems</th>
                <th scope="col" class="num">
                  Left
                </th>
                <th scope="col">Throughput</th>
                <th scope="col">Look at</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((e) => (
                <ExperimentRow key={e.id} e={e} />
              ))}
            </tbody>
          </table>
          {found.length === 0 && <Empty title={`No experiment is called "${find.slice(0, 60)}"`} />}
          {found.length > SHOWN_FIRST && (
            <button type="button" class="button plain small more" onClick={() => setEverything(!everything)}>
              {everything ? "Fewer" : `All ${integer(found.length)}`}
            </button>
          )}
          {props.all > props.list.length && (
            <p class="muted more">
              The newest {integer(props.list.length)} of {integer(props.all)}.
            </p>
          )}
        </div>
      )}
    </Card>
  );
}

function ExperimentRow(props: { e: Experiment }): VNode {
  const { e } = props;
  const over = e.jobs - e.waiting - e.ready - e.running;
  return (
    <tr>
      <th scope="row" class="exp-name">
        <a class="experiment-link" href={link("experiments", e.id)} title={e.name}>
          {e.name}
        </a>
        <span class="exp-sub">
          <State state={e.state} />
          <span>{plural(e.runs, "run")}</span>
          {e.revision > 1 && <span>revision {e.revision}</span>}
          {e.priority !== 0 && <span>priority {e.priority}</span>}
          <span class="exp-when">
            <Ago at={e.state === "running" ? e.submitted_ms : (e.last_ms ?? e.submitted_ms)} />
          </span>
        </span>
      </th>
      <td class="exp-progress">
        <ProgressBar counts={e} label={e.name} />
        <span class="exp-sub">
          <span>
            {progress(e.done, e.jobs)} of {integer(e.jobs)}
          </span>
          {e.running > 0 && <span>{integer(e.running)} running</span>}
          {e.counted === false && <span>counting, {progress(e.counted_share ?? 0, 1)}</span>}
        </span>
      </td>
      <td class="exp-problems">
        <Problems e={e} />
      </td>
      <td class="num exp-left" title={leftBetween(e)}>
        {e.eta_s !== null && over < e.jobs ? durationShort(e.eta_s) : "–"}
      </td>
      <td class="exp-spark">
        {e.spark !== null && e.spark !== undefined ? (
          <Spark
            label={`Jobs done over time in ${e.name}`}
            width={100}
            values={e.spark.done}
            bad={e.spark.failed}
            title={`one bar: ${durationShort(e.spark.bucket_ms / 1000)}`}
          />
        ) : null}
        <span class="exp-rate">{e.per_s !== null && e.per_s > 1e-5 && e.state === "running" ? rate(e.per_s) : ""}</span>
      </td>
      <td class="exp-links">
        <a href={link("experiments", e.id, "runs")}>Runs</a>
        <a href={link("experiments", e.id, "compare")}>Which wins</a>
        {e.has?.labels === true && <a href={link("experiments", e.id, "labels")}>Labels</a>}
        {e.has?.curriculum === true && <a href={link("experiments", e.id, "curriculum")}>Curriculum</a>}
      </td>
    </tr>
  );
}

function leftBetween(e: Experiment): string | undefined {
  if (e.eta_s === null || e.eta_low_s === null || e.eta_low_s === undefined) return undefined;
  const high = e.eta_high_s === null || e.eta_high_s === undefined ? "more" : durationShort(e.eta_high_s);
  return `about ${durationShort(e.eta_s)}: between ${durationShort(e.eta_low_s)} and ${high}`;
}

/** Badges that lead to the causes. */
function Problems(props: { e: Experiment }): VNode {
  const { e } = props;
  const address = link("experiments", e.id, "failures");
  const words = e.failures.map((f) => `${integer(f.n)} ${outcomeWord(f.outcome)}`).join(", ");
  if (e.failed + e.diverged + e.skipped === 0) return <span class="muted">none failed</span>;
  return (
    <>
      {e.failed > 0 && (
        <a href={address} class="badge tone-bad" title={(words || "failed") + ": which, and why"}>
          {integer(e.failed)} failed
        </a>
      )}
      {e.diverged > 0 && (
        <a href={address} class="badge tone-warn" title="Which runs diverged, and why">
          {integer(e.diverged)} diverged
        </a>
      )}
      {e.skipped > 0 && (
        <span class="badge tone-idle" title="Jobs that cannot run because one they need failed">
          {integer(e.skipped)} skipped
        </span>
      )}
    </>
  );
}
