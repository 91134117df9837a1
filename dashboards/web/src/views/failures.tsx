// SPDX-License-Identifier: Apache-2.0
// Which runs failed, and why: causes, the most frequent first, each with a run, a job and the end of
// its log. Also of all experiments at once.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Ago, Answer, Badge, Card, CopyButton, Empty, LongText } from "../components/basics";
import { Log } from "../components/log";
import { useData } from "../lib/data";
import { integer, plural } from "../lib/format";
import { useTitle } from "../lib/hooks";
import { badTone, outcomeWord } from "../lib/outcomes";
import { link } from "../lib/router";
import type { ExperimentDocument, FailureGroup, Failures, Overview } from "../lib/types";

export function FailuresView(props: { id?: number; doc?: ExperimentDocument }): VNode {
  if (props.id !== undefined) return <OfExperiment id={props.id} skipped={props.doc?.experiment.skipped ?? 0} />;
  return <OfAll />;
}

function OfAll(): VNode {
  useTitle("Failures");
  const overview = useData<Overview>("overview");
  return (
    <div class="stack">
      <h1>Failures</h1>
      <Answer of={overview} height={300}>
        {(o) => {
          const bad = o.experiments.filter((e) => e.failed + e.diverged > 0);
          if (bad.length === 0) return <Empty title="Nothing failed" />;
          return (
            <div class="stack">
              {bad.map((e) => (
                <section key={e.id} class="stack" aria-label={e.name.slice(0, 200)}>
                  <h2 class="clip">
                    <a href={link("experiments", e.id, "failures")}>{e.name}</a>
                  </h2>
                  <OfExperiment id={e.id} skipped={e.skipped} />
                </section>
              ))}
            </div>
          );
        }}
      </Answer>
    </div>
  );
}

function OfExperiment(props: { id: number; skipped: number }): VNode {
  const failures = useData<Failures>(`experiments/${props.id}/failures`);
  return (
    <Answer of={failures} height={240} lines={6}>
      {(f) => {
        const rank = (g: FailureGroup) => (badTone(g.outcome) === "bad" ? 0 : 1);
        const groups = [...f.groups].sort((a, b) => rank(a) - rank(b) || b.jobs - a.jobs);
        const lost = f.lost_attempts.filter((l) => l.n > 0);
        const jobs = f.groups.reduce((n, g) => n + g.jobs, 0);
        return (
          <div class="stack">
            {f.groups.length === 0 ? (
              <Empty title="Nothing failed in this experiment" />
            ) : (
              <p class="lead">
                {plural(jobs, "job")} went wrong, for {plural(f.groups.length, "reason")}
                {props.skipped > 0 && <>; {plural(props.skipped, "job")} could not run because of that</>}.
              </p>
            )}
            {groups.map((g, k) => (
              <Group
                key={`${g.step} ${g.outcome} ${g.text?.slice(0, 100) ?? ""} ${g.sample.job}`}
                id={props.id}
                group={g}
                open={k === 0}
              />
            ))}
            {lost.length > 0 && (
              <p class="muted">
                Attempts that ended early and were tried again:{" "}
                {lost.map((l) => `${integer(l.n)} ${outcomeWord(l.outcome)}`).join(", ")}. They cost time and no
                results.
              </p>
            )}
          </div>
        );
      }}
    </Answer>
  );
}

function Group(props: { id: number; group: FailureGroup; open: boolean }): VNode {
  const { group: g } = props;
  const [open, setOpen] = useState(props.open);
  useEffect(() => setOpen(props.open), [props.open]);
  const log = g.sample.log_tail;
  const alike = g.alike === undefined || g.alike === "" ? null : g.alike;
  const cause = alike ?? (g.text === "" ? null : g.text);
  const remedy = g.remedy === undefined || g.remedy === "" ? null : g.remedy;
  return (
    <Card
      plain
      class="failure"
      title={
        <>
          <Badge tone={badTone(g.outcome) ?? "bad"}>{outcomeWord(g.outcome)}</Badge> {plural(g.jobs, "job")},{" "}
          {plural(g.runs, "run")}
        </>
      }
      actions={
        <>
          <span>
            step <strong>{g.step}</strong>
          </span>
          <span>
            {g.first_ms !== null && g.first_ms !== g.last_ms && (
              <>
                first <Ago at={g.first_ms} />,{" "}
              </>
            )}
            last <Ago at={g.last_ms} />
          </span>
        </>
      }
    >
      <div class="card-body failure-body">
        <div class="failure-cause">
          {cause !== null ? (
            <LongText text={cause.slice(0, 20000)} lines={4} />
          ) : (
            (remedy ?? <span class="muted">It gave no reason; its log is what there is.</span>)
          )}
        </div>
        {alike !== null && g.text !== null && g.text !== "" && (
          <div class="failure-remedy">
            <LongText text={"For example: " + g.text.slice(0, 20000)} lines={2} />
          </div>
        )}
        {remedy !== null && cause !== null && (
          <p class="failure-remedy">
            <strong>What helps:</strong> {remedy}
          </p>
        )}
        <div class="row">
          <a
            class="button small strong"
            href={link("experiments", props.id, "jobs", { step: g.step, state: stateOf(g.outcome) })}
          >
            {g.jobs === 1 ? "The job" : `All ${integer(g.jobs)} jobs`}
          </a>
          <a
            class="button small"
            href={link("experiments", props.id, "runs", { filter: `state~eq~${stateOf(g.outcome)}` })}
          >
            The runs
          </a>
          <a href={link("jobs", g.sample.job)}>job {g.sample.job}</a>
          <RunLinks group={g} />
          {log !== null && log !== "" && (
            <button type="button" class="button plain small" aria-expanded={open} onClick={() => setOpen(!open)}>
              {open ? "Hide the log" : "End of the log"}
            </button>
          )}
          {open && log !== null && log !== "" && <CopyButton text={log} label="Copy the log" />}
        </div>
      </div>
      {open && log !== null && log !== "" && (
        <Log
          text={log}
          label={`End of the log of job ${g.sample.job}: ${g.step}, ${outcomeWord(g.outcome)} of experiment ${props.id}`}
        />
      )}
    </Card>
  );
}

const RUNS_SHOWN = 6;

function RunLinks(props: { group: FailureGroup }): VNode {
  const { group: g } = props;
  const ids = g.run_ids ?? (g.sample.run === null || g.sample.run === undefined ? [] : [g.sample.run]);
  return (
    <span class="in-text">
      {ids.slice(0, RUNS_SHOWN).map((id, k) => (
        <>
          {k > 0 && ", "}
          <a href={link("runs", id)}>
            {k === 0 ? "run " : ""}
            {id}
          </a>
        </>
      ))}
      {g.runs > Math.min(ids.length, RUNS_SHOWN) && (
        <span class="muted"> and {integer(g.runs - Math.min(ids.length, RUNS_SHOWN))} more</span>
      )}
    </span>
  );
}

function stateOf(outcome: string): string {
  return outcome.toLowerCase() === "diverged" ? "diverged" : "failed";
}
