// SPDX-License-Identifier: Apache-2.0
// Who worked when, on what, and what went wrong.
import type { VNode } from "preact";
import { Answer } from "../components/basics";
import { useData } from "../lib/data";
import { useTitle } from "../lib/hooks";
import type { Overview } from "../lib/types";
import { WorkersTable } from "./workers_table";
import { TimelineCard } from "./workers_timeline";

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
