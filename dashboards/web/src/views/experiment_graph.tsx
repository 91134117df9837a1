// SPDX-License-Identifier: Apache-2.0
// The recipe's steps and what each needs, with the states of their jobs; a step leads to its jobs
// and to why they wait.
import { needsOf, whyOf } from "../lib/job";
import type { VNode } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Answer, Card, Empty, Facts, State } from "../components/basics";
import { countsText, ProgressBar } from "../components/progress";
import { useData } from "../lib/data";
import { dagLayout, DagLayout } from "../lib/dag";
import { compact, cut, duration, integer, progress } from "../lib/format";
import { link, useQuery } from "../lib/router";
import type { Graph, JobCounts, JobDocument, JobsPage, StepCounts } from "../lib/types";
import type { ExperimentViewProps } from "../shell/experiment_frame";
import { jobStates } from "./experiment_jobs";

interface Box {
  width: number;
  height: number;
  gapX: number;
  gapY: number;
  margin: number;
}

const roomy: Box = { width: 172, height: 64, gapX: 46, gapY: 22, margin: 8 };
const dense: Box = { width: 172, height: 30, gapX: 52, gapY: 7, margin: 8 }; // many steps in a column
const ROWS_ROOMY = 8;

type Node = Graph["nodes"][number];

const parts: readonly (readonly [keyof JobCounts, string])[] = [
  ["done", "good"],
  ["diverged", "warn"],
  ["failed", "bad"],
  ["skipped", "skip"],
  ["cancelled", "skip"],
  ["running", "busy"],
  ["ready", "ready"],
  ["waiting", "idle"],
];

// The state that a step is told by: trouble first, then what goes on.
export function stepState(c: JobCounts): string {
  if (c.running > 0) return "running";
  if (c.failed > 0) return "failed";
  if (c.ready > 0) return "ready";
  if (c.waiting > 0) return "waiting";
  if (c.jobs > 0 && c.cancelled === c.jobs) return "cancelled";
  if (c.jobs > 0 && c.skipped === c.jobs) return "skipped";
  return c.jobs > 0 ? "done" : "empty";
}

// Columns are centred; where they are long they all begin at the top, so that nothing is out of sight.
function tops(layout: DagLayout, BOX: Box): DagLayout {
  if (BOX !== dense) return layout;
  const top = new Map<number, number>();
  for (const n of layout.nodes) top.set(n.column, Math.min(n.row, top.get(n.column) ?? n.row));
  return { ...layout, nodes: layout.nodes.map((n) => ({ ...n, row: n.row - top.get(n.column)! })) };
}

function corner(layout: DagLayout, BOX: Box, k: number): { x: number; y: number } {
  const n = layout.nodes[k]!;
  return {
    x: BOX.margin + n.column * (BOX.width + BOX.gapX),
    y: BOX.margin + n.row * (BOX.height + BOX.gapY),
  };
}

function Bar(props: { counts: JobCounts; x: number; y: number; width: number; height: number }): VNode {
  let at = props.x;
  const all = Math.max(1, props.counts.jobs);
  return (
    <g>
      <rect
        class="graph-track"
        x={props.x}
        y={props.y}
        width={props.width}
        height={props.height}
        rx={props.height / 2}
      />
      {parts.map(([name, tone]) => {
        const w = Math.min(props.x + props.width - at, (props.counts[name] / all) * props.width);
        if (w <= 0) return null;
        const x = at;
        at += w;
        return (
          <rect
            key={name}
            class={`graph-part fill-${tone}`}
            x={x}
            y={props.y}
            width={w}
            height={props.height}
          />
        );
      })}
    </g>
  );
}

function Picture(props: { id: number; graph: Graph; step: string | null }): VNode {
  const { graph } = props;
  const names = graph.nodes.map((n) => n.step);
  const plain = useMemo(
    () => dagLayout(names, graph.edges),
    [JSON.stringify(names), JSON.stringify(graph.edges)],
  );
  const BOX = plain.rows > ROWS_ROOMY ? dense : roomy;
  const layout = tops(plain, BOX);
  const small = BOX === dense;
  const width = 2 * BOX.margin + layout.columns * (BOX.width + BOX.gapX) - BOX.gapX;
  const height = 2 * BOX.margin + layout.rows * (BOX.height + BOX.gapY) - BOX.gapY;
  const chosen = names.indexOf(props.step ?? "");
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (chosen < 0 || box.current === null) return;
    const x = corner(layout, BOX, chosen).x;
    if (x + BOX.width > box.current.scrollLeft + box.current.clientWidth || x < box.current.scrollLeft)
      box.current.scrollLeft = x - 40;
  }, [chosen]);
  return (
    <div class="graph-box" ref={box} tabIndex={0} role="region" aria-label="Steps and what they need">
      <svg
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
        role="group"
        aria-label={`${graph.nodes.length} steps`}
      >
        <defs>
          <marker
            id="graph-arrow"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="7"
            markerHeight="7"
            orient="auto"
          >
            <path class="graph-head" d="M0 0.5L7.5 4L0 7.5z" />
          </marker>
        </defs>
        {layout.edges.map((e) => {
          const a = corner(layout, BOX, e.from);
          const b = corner(layout, BOX, e.to);
          const [x1, y1, x2, y2] = [a.x + BOX.width, a.y + BOX.height / 2, b.x - 2, b.y + BOX.height / 2];
          const bend = Math.max(24, Math.min(90, (x2 - x1) / 2));
          const near = chosen < 0 || e.from === chosen || e.to === chosen;
          return (
            <path
              key={`${e.from} ${e.to}`}
              class={near ? "graph-edge" : "graph-edge far"}
              d={`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`}
              marker-end="url(#graph-arrow)"
            />
          );
        })}
        {graph.nodes.map((n, k) => {
          const { x, y } = corner(layout, BOX, k);
          const state = stepState(n);
          return (
            <a
              key={n.step}
              class={`graph-node graph-${state}${k === chosen ? " chosen" : ""}`}
              href={link("experiments", props.id, "graph", { step: n.step })}
              aria-current={k === chosen ? "true" : undefined}
            >
              <title>{`${n.step}: ${countsText(n)}`}</title>
              <rect class="graph-frame" x={x} y={y} width={BOX.width} height={BOX.height} rx={6} />
              <text class="graph-name" x={x + 10} y={y + (small ? 16 : 20)}>
                {cut(n.step, small ? 16 : 18 - Math.max(0, n.kind.length - 7))}
              </text>
              {small ? (
                <text
                  class={`graph-state fill-text-${state}`}
                  x={x + BOX.width - 10}
                  y={y + 16}
                  text-anchor="end"
                >
                  {n.failed > 0
                    ? `${integer(n.failed)} failed`
                    : state === "done"
                      ? compact(n.jobs)
                      : `${compact(n.done)}/${compact(n.jobs)}`}
                </text>
              ) : (
                <>
                  <text class="graph-kind" x={x + BOX.width - 10} y={y + 20} text-anchor="end">
                    {cut(n.kind, 12)}
                  </text>
                  <text class="graph-count" x={x + 10} y={y + 38}>
                    {n.done + n.diverged === n.jobs
                      ? `${compact(n.jobs)} done`
                      : `${compact(n.done)}${n.jobs >= 1000 ? " / " : " of "}${compact(n.jobs)}`}
                  </text>
                  <text
                    class={`graph-state fill-text-${state}`}
                    x={x + BOX.width - 10}
                    y={y + 38}
                    text-anchor="end"
                  >
                    {n.failed > 0 ? `${compact(n.failed)} failed` : state === "done" ? "" : state}
                  </text>
                </>
              )}
              <Bar
                counts={n}
                x={x + 10}
                y={y + BOX.height - (small ? 9 : 16)}
                width={BOX.width - 20}
                height={small ? 4 : 6}
              />
            </a>
          );
        })}
      </svg>
    </div>
  );
}

// What a job still needs, at most five.
function missing(d: JobDocument): { id: number; step: string; state: string }[] {
  return needsOf(d)
    .filter((n) => !/done/i.test(n.state))
    .slice(0, 5);
}

// Why the first waiting job of a step waits; and what failed jobs say.
function Why(props: { id: number; step: string; state: string }): VNode | null {
  const jobs = useData<JobsPage>(`experiments/${props.id}/jobs`, {
    step: props.step,
    state: props.state,
    limit: 4,
  });
  const first = jobs.data?.jobs[0]?.id ?? null;
  const job = useData<JobDocument>(first === null ? null : `jobs/${first}`);
  if (first === null) return null;
  const why = job.data === null ? [] : whyOf(job.data);
  return (
    <section class="why">
      <h3>
        {props.state === "failed"
          ? "Failed"
          : `Why job ${first} ${props.state === "waiting" ? "waits" : "does not run yet"}`}
      </h3>
      {props.state !== "failed" && (
        <Answer of={job} lines={2}>
          {(d) =>
            why.length > 0 ? (
              <ul class="why-list">
                {why.map((w) => (
                  <li key={w.rule + w.text}>{w.text}</li>
                ))}
              </ul>
            ) : (
              <p>
                {missing(d).length > 0
                  ? "It needs "
                  : "It needs nothing that is missing; a coordinator with a free worker will take it."}
                {missing(d).map((n, k) => (
                  <span key={n.id}>
                    {k > 0 && ", "}
                    <a href={link("jobs", n.id)}>{`${n.step} ${n.id}`}</a> ({n.state.toLowerCase()})
                  </span>
                ))}
              </p>
            )
          }
        </Answer>
      )}
      <ul class="why-jobs">
        {jobs.data?.jobs.map((j) => (
          <li key={j.id}>
            <a href={link("jobs", j.id)}>{`Job ${j.id}`}</a> {cut(j.text ?? j.what ?? "", 120)}
          </li>
        ))}
      </ul>
    </section>
  );
}

function StepPanel(props: { id: number; node: Node; step: StepCounts | undefined }): VNode {
  const { id, node, step } = props;
  const states = jobStates.filter((s) => node[s] > 0);
  return (
    <Card
      title={
        <>
          {cut(node.step, 60)}&ensp;
          <State state={stepState(node)} />
        </>
      }
      actions={
        <a class="button small" href={link("experiments", id, "jobs", { step: node.step })}>
          All {integer(node.jobs)} jobs
        </a>
      }
    >
      <ProgressBar counts={node} label={node.step} />
      <Facts
        items={[
          ["Kind", node.kind],
          ["Done", progress(node.done + node.diverged, node.jobs)],
          ...states.map(
            (s) =>
              [
                s,
                <a key={s} href={link("experiments", id, "jobs", { step: node.step, state: s })}>
                  {integer(node[s])}
                </a>,
              ] as const,
          ),
          step !== undefined && step.seconds !== null && ["Time of its jobs", duration(step.seconds)],
          step !== undefined && step.eta_s !== null && step.eta_s > 0 && ["Left", duration(step.eta_s)],
        ]}
      />
      {node.failed > 0 && <Why id={id} step={node.step} state="failed" />}
      {node.waiting > 0 && <Why id={id} step={node.step} state="waiting" />}
      {node.waiting === 0 && node.ready > 0 && node.running === 0 && (
        <Why id={id} step={node.step} state="ready" />
      )}
    </Card>
  );
}

export function GraphView(props: ExperimentViewProps): VNode {
  const [query] = useQuery();
  const graph = useData<Graph>(`experiments/${props.id}/graph`);
  const step = query.get("step");
  return (
    <Answer of={graph} height={320} lines={5}>
      {(g) => {
        const node = g.nodes.find((n) => n.step === step);
        if (g.nodes.length === 0) return <Empty title="No steps" />;
        return (
          <div class="graph">
            <Picture id={props.id} graph={g} step={step} />
            <ul class="graph-legend" aria-label="Legend">
              {(["good", "busy", "ready", "idle", "bad", "warn", "skip"] as const).map((tone) => (
                <li key={tone}>
                  <i class={`part-${tone}`} aria-hidden="true" />{" "}
                  {
                    {
                      good: "done",
                      busy: "running",
                      ready: "ready",
                      idle: "waiting",
                      bad: "failed",
                      warn: "diverged",
                      skip: "skipped or cancelled",
                    }[tone]
                  }
                </li>
              ))}
            </ul>
            {node !== undefined ? (
              <StepPanel id={props.id} node={node} step={props.doc.steps.find((s) => s.step === node.step)} />
            ) : (
              <p class="muted">Choose a step for its jobs, and for why they wait.</p>
            )}
          </div>
        );
      }}
    </Answer>
  );
}
