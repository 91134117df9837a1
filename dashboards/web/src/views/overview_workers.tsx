// SPDX-License-Identifier: Apache-2.0
import type { VNode } from "preact";
import { Ago, Card, Empty } from "../components/basics";
import { durationShort, integer, plural } from "../lib/format";
import { link } from "../lib/router";
import type { Coordinator, Worker, WorkerJob } from "../lib/types";

const JOBS_SHOWN = 3;
const SQUARES = 32;

export function workerState(w: Worker): string {
  if (w.state !== undefined && w.state !== "")
    return w.state === "working" && (w.running ?? 0) === 0 ? "idle" : w.state;
  if (!w.here) return "gone";
  return w.draining === true ? "draining" : (w.running ?? 0) > 0 ? "working" : "idle";
}

export function WorkerState(props: { worker: Worker }): VNode {
  const state = workerState(props.worker);
  const gone = typeof props.worker.gone === "string" ? props.worker.gone : undefined;
  const tone = state === "working" ? "good" : /lost|quiet|draining|paused/.test(state) ? "warn" : "idle";
  return (
    <span class={"state tone-" + tone} title={gone}>
      <i class="dot" aria-hidden="true" />
      {state}
    </span>
  );
}

/** A square for each slot, filled when something runs in it. */
export function Slots(props: { slots: number | null; running: number | null }): VNode {
  const slots = props.slots ?? 0;
  const running = props.running ?? 0;
  const label = `${integer(running)} of ${plural(slots, "slot")} in use`;
  if (slots > SQUARES) {
    return (
      <span class="slots" role="img" aria-label={label} title={label}>
        <span class="slots-bar">
          <span class="slots-fill" style={{ width: Math.min(100, (running / slots) * 100) + "%" }} />
        </span>
      </span>
    );
  }
  return (
    <span class="slots" role="img" aria-label={label} title={label}>
      {Array.from({ length: slots }, (_, k) => (
        <i key={k} class={k < running ? "slot used" : "slot"} />
      ))}
    </span>
  );
}

export function JobLine(props: { job: WorkerJob }): VNode {
  const { job } = props;
  const share = job.done !== null && job.total !== null && job.total > 0 ? Math.min(1, job.done / job.total) : null;
  return (
    <a
      class="job-line"
      href={link("jobs", job.job)}
      title={`job ${job.job}: ${job.step} of ${job.experiment ?? "no experiment"}${job.what ? ", " + job.what : ""}`}
    >
      <span class="job-step">{job.step || job.kind}</span>
      <span class="job-bar" aria-hidden="true">
        <span class="job-fill" style={{ width: (share ?? 0) * 100 + "%" }} />
      </span>
      <span class="job-time">{durationShort(job.seconds)}</span>
    </a>
  );
}

export function WorkerCards(props: { workers: Worker[]; coordinator: Coordinator | null }): VNode {
  const here = props.workers.filter((w) => w.here);
  const gone = props.workers.length - here.length;
  return (
    <Card title="Workers" actions={<a href={link("workers")}>Timeline and all workers</a>}>
      {here.length === 0 ? (
        <Empty title={props.workers.length === 0 ? "No worker was ever here" : "No worker is here now"}>
          Start one where there is room: <code>drover worker</code>.
        </Empty>
      ) : (
        <ul class="worker-list">
          {here.slice(0, 24).map((w) => (
            <li key={w.id} class="worker">
              <div class="worker-who">
                <span class="worker-name clip" title={`${w.name} on ${w.host}, pid ${w.pid}`}>
                  {w.name}
                </span>
                <span class="exp-sub">
                  <WorkerState worker={w} />
                  <span>
                    seen <Ago at={w.last_seen_ms} />
                  </span>
                </span>
              </div>
              <div class="worker-load">
                <Slots slots={w.slots} running={w.running} />
                <span class="exp-sub">
                  <span>
                    {integer(w.running)} of {integer(w.slots)}
                  </span>
                  {(w.waiting ?? 0) > 0 && <span>{integer(w.waiting)} waiting</span>}
                  <span>{integer(w.done)} done</span>
                  {w.failed > 0 && <span class="bad-text">{integer(w.failed)} failed</span>}
                </span>
              </div>
              <div class="worker-jobs">
                {w.jobs.slice(0, JOBS_SHOWN).map((j) => (
                  <JobLine key={j.job} job={j} />
                ))}
                {w.jobs.length > JOBS_SHOWN && (
                  <span class="muted job-more">and {w.jobs.length - JOBS_SHOWN} more</span>
                )}
                {w.jobs.length === 0 && <span class="muted job-more">nothing runs</span>}
              </div>
            </li>
          ))}
        </ul>
      )}
      {(gone > 0 || here.length > 24) && (
        <p class="more muted">
          {here.length > 24 && <>{integer(here.length - 24)} more are here. </>}
          {gone > 0 && <>{plural(gone, "worker")} gone.</>}
        </p>
      )}
    </Card>
  );
}
