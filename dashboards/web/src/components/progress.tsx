// SPDX-License-Identifier: Apache-2.0
// Progress of jobs by state, as one bar.
import type { VNode } from "preact";
import { integer } from "../lib/format";
import type { JobCounts } from "../lib/types";

const PARTS: readonly (readonly [keyof JobCounts, string, string])[] = [
  ["done", "done", "good"],
  ["diverged", "diverged", "warn"],
  ["failed", "failed", "bad"],
  ["skipped", "skipped", "skip"],
  ["cancelled", "cancelled", "skip"],
  ["running", "running", "busy"],
  ["ready", "ready", "ready"],
  ["waiting", "waiting", "idle"],
];

export function countsText(counts: JobCounts): string {
  const parts = PARTS.filter(([name]) => counts[name] > 0).map(([name, word]) => `${integer(counts[name])} ${word}`);
  return `${integer(counts.jobs)} jobs: ` + (parts.join(", ") || "none");
}

export function ProgressBar(props: { counts: JobCounts; label: string }): VNode {
  const { counts } = props;
  const all = Math.max(1, counts.jobs);
  let rest = all;
  return (
    <div class="progress" role="img" aria-label={`${props.label}: ${countsText(counts)}`} title={countsText(counts)}>
      {PARTS.map(([name, word, tone]) => {
        const n = Math.min(rest, counts[name]);
        if (n <= 0) return null;
        rest -= n;
        return <span key={word} class={"progress-part part-" + tone} style={{ flexGrow: n / all }} />;
      })}
    </div>
  );
}
