// SPDX-License-Identifier: Apache-2.0
// What is gained against what it costs: all runs as points, with the front that none beats.
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { Answer, Card, Choice, Empty, Select } from "../components/basics";
import { FilterBar } from "../components/filterbar";
import { Scatter, ScatterPoint } from "../components/scatter";
import { Sentence } from "../components/sentence";
import { PlainTable } from "../components/plain_table";
import { useData } from "../lib/data";
import { bare, firstGrouping, groupings, measures, shortName } from "../lib/columns";
import { filterText, filtersOf } from "../lib/filters";
import { cell, cut, integer } from "../lib/format";
import { brief, MeasureLook, measureLook, measureText } from "../lib/measures";
import { go, link, useQuery } from "../lib/router";
import { frontWords } from "../lib/sentences";
import type { ExperimentDocument, Pareto } from "../lib/types";
import type { ExperimentViewProps } from "../shell/experiment_frame";

// What accuracy costs: layers where they differ, else tokens, else seconds.
function firstCost(doc: ExperimentDocument): string {
  const differs = (name: string): boolean => {
    const c = doc.columns.find((x) => x.name === name);
    return c !== undefined && c.min !== null && c.min !== undefined && c.min !== c.max;
  };
  return ["layers", "tokens", "seconds"].find(differs) ?? "layers";
}

function groupNames(p: Pareto): string[] {
  return p.groups.map((g) => cut(typeof g === "string" ? g : g.name, 80));
}

function pointsOf(p: Pareto, lx: MeasureLook, ly: MeasureLook): ScatterPoint[] {
  const names = p.groups.map((g) => (typeof g === "string" ? g : g.name));
  const of = (group: string | number | null): number | null => {
    if (group === null) return null;
    const k = typeof group === "number" ? group : names.indexOf(group);
    return k >= 0 && k < names.length ? k : null;
  };
  return p.points.map((q) => ({ id: q.run, x: q.x * lx.scale, y: q.y * ly.scale, group: of(q.group) }));
}

function Plot(props: { pareto: Pareto; log: boolean }): VNode {
  const p = props.pareto;
  const lx = measureLook(p.x);
  const ly = measureLook(p.y);
  const points = useMemo(() => pointsOf(p, lx, ly), [p]);
  const front = useMemo(() => {
    const groups = new Map(points.map((q) => [q.id, q.group]));
    return p.front.map(([x, y, run]) => ({
      id: run,
      x: x * lx.scale,
      y: y * ly.scale,
      group: groups.get(run) ?? null,
    }));
  }, [p, points]);
  const rows = p.front.map(([x, y, run]) => ({
    run,
    x,
    y,
    group: front.find((f) => f.id === run)?.group ?? null,
  }));
  const names = groupNames(p);
  return (
    <>
      <Sentence words={frontWords(p.front, p.x, p.y, p.of)} />
      <Scatter
        label={`${p.y} against ${p.x}`}
        points={points}
        groups={names}
        front={front}
        xLabel={lx.title}
        yLabel={ly.title}
        xFormat={brief}
        yFormat={brief}
        xLog={props.log}
        height={440}
        onPick={(q) => go(link("runs", q.id))}
        describe={(q) => (front.some((f) => f.id === q.id) ? ["on the front"] : [])}
        note={
          p.points.length < p.of
            ? `${integer(p.points.length)} of ${integer(p.of)} runs are drawn (some of each spot); the front is that of all. Drag to zoom, click opens a run.`
            : "The line joins the runs that no other beats on both axes. Drag to zoom, click opens a run."
        }
      />
      <h2 class="panel-title">The front</h2>
      <PlainTable
        label="Runs on the front"
        rows={rows}
        rowKey={(r) => r.run}
        columns={[
          {
            name: "run",
            title: "Run",
            type: "number",
            render: (r) => <a href={link("runs", r.run)}>{r.run}</a>,
            value: (r) => r.run,
          },
          ...(names.length > 1
            ? [
                {
                  name: "group",
                  title: "Group",
                  render: (r: (typeof rows)[number]) => (r.group === null ? "" : (names[r.group] ?? "")),
                },
              ]
            : []),
          {
            name: "x",
            title: lx.title,
            type: "number",
            sort: true,
            value: (r) => r.x,
            render: (r) => measureText(r.x, lx, true),
          },
          {
            name: "y",
            title: ly.title,
            type: "number",
            sort: true,
            value: (r) => r.y,
            render: (r) => measureText(r.y, ly, true),
          },
        ]}
      />
    </>
  );
}

export function ParetoView(props: ExperimentViewProps): VNode {
  const { id, doc } = props;
  const [query, change] = useQuery();
  const offered = measures(doc).map((m) => m.name);
  const params = groupings(doc).map((c) => c.name);
  const x = query.get("x") ?? firstCost(doc);
  const y = query.get("y") ?? "accuracy";
  const by = query.has("by") ? (query.get("by") ?? "") : firstGrouping(doc);
  const filters = filtersOf(query);
  const pareto = useData<Pareto>(`experiments/${id}/pareto`, {
    x,
    y,
    by: by === "" ? [""] : by,
    filter: filters.map(filterText),
  });
  const one = (name: string): string[] => [...new Set([name, ...offered])];
  return (
    <div class="pareto">
      <div class="view-bar">
        <Select label="y" value={y} options={one(y)} onChange={(v) => change({ y: v })} />
        <Select label="against x" value={x} options={one(x)} onChange={(v) => change({ x: v })} />
        <Select
          label="coloured by"
          value={by}
          options={[
            { value: "", title: "nothing" },
            ...params.map((p) => ({ value: p, title: shortName(p, params) })),
          ]}
          onChange={(v) => change({ by: v === "" ? [""] : v })}
        />
        <Choice
          label="Scale of x"
          value={query.get("scale") === "log" ? "log" : "linear"}
          options={["linear", "log"]}
          onChange={(v) => change({ scale: v === "log" ? v : null })}
        />
        <FilterBar
          columns={[{ name: "run" }, ...doc.columns]}
          filters={filters}
          onChange={(list) => change({ filter: list.map(filterText) })}
        />
      </div>
      <Answer of={pareto} height={520} lines={6}>
        {(p) => (
          <Card label="Pareto front">
            {p.of === 0 ? (
              <Empty title="No points">
                No run has both {cell(bare(p.x))} and {cell(bare(p.y))} yet.
              </Empty>
            ) : (
              <Plot pareto={p} log={query.get("scale") === "log"} />
            )}
          </Card>
        )}
      </Answer>
    </div>
  );
}
