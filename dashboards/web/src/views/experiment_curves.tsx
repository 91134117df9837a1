// SPDX-License-Identifier: Apache-2.0
// What was measured while training: a small multiple per metric, grouped by parameters, with bands
// over seeds and the stages of a curriculum.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { Answer, Choice, Empty, Popover, Select } from "../components/basics";
import { Chart } from "../components/chart";
import type { ChartSeries } from "../components/chart_data";
import { FilterBar } from "../components/filterbar";
import { useData } from "../lib/data";
import { firstGrouping, groupings, shortName } from "../lib/columns";
import { filterText, filtersOf } from "../lib/filters";
import { compact, cut, plural } from "../lib/format";
import { brief, measureLook } from "../lib/measures";
import { useQuery } from "../lib/router";
import type { Curves, ExperimentDocument } from "../lib/types";
import type { ExperimentViewProps } from "../shell/experiment_frame";

const CHARTS_MAX = 12;
// each by the first pattern that any name fits
const wanted = [
  [/^reward$/, /reward$/],
  [/^accuracy$/, /acc|correct/],
  [/^(mean_)?(response_)?(tokens|length)$/, /^(mean|response|think)_\w*tokens/, /tokens|length/],
  [/^loss$/, /loss$/],
];

interface Metric {
  name: string;
  steps: string[];
  points: number;
}

function metricsOf(doc: ExperimentDocument): Metric[] {
  const by_name = new Map<string, Metric>();
  for (const m of doc.metrics ?? []) {
    const one = by_name.get(m.metric) ?? { name: m.metric, steps: [], points: 0 };
    one.steps.push(m.step);
    one.points += m.points;
    by_name.set(m.metric, one);
  }
  return [...by_name.values()];
}

// What readers look at first: reward, accuracy, length, loss; else the first ones.
function firstMetrics(all: Metric[]): string[] {
  const found: string[] = [];
  for (const patterns of wanted) {
    const fits = patterns.flatMap((p) => all.filter((x) => p.test(x.name) && !found.includes(x.name)));
    if (fits[0] !== undefined) found.push(fits[0].name);
  }
  return (found.length > 0 ? found : all.map((m) => m.name)).slice(0, 4);
}

function seriesOf(data: Curves, each: boolean): ChartSeries[] {
  const scale = measureLook(data.metric).scale;
  const by = (v: number | null): number | null => (v === null ? null : v * scale);
  const names = new Map<string, number>();
  return data.groups.map((g, k) => {
    const n = names.get(g.name) ?? 0;
    names.set(g.name, n + 1);
    const name = cut(g.name, 80) + (n > 0 ? ` (${n + 1})` : "");
    const banded = !each && g.points.some((p) => p[2] !== null && p[3] !== null && p[2] !== p[3]);
    return {
      name,
      x: g.points.map((p) => p[0]),
      y: g.points.map((p) => by(p[1])),
      ...(banded ? { lo: g.points.map((p) => by(p[2])), hi: g.points.map((p) => by(p[3])) } : {}),
      ...(each ? {} : { n: g.points.map((p) => p[4]) }),
      colour: k,
      faint: each && data.groups.length > 8,
    };
  });
}

interface PanelProps {
  id: number;
  metric: string;
  step: string;
  by: string;
  each: boolean;
  log: boolean;
  filters: string[];
  height: number;
}

function CurvePanel(props: PanelProps): VNode {
  const [zoom, setZoom] = useState<{ from: number; to: number } | null>(null);
  const range = zoom === null ? {} : { from: Math.max(0, Math.floor(zoom.from)), to: Math.ceil(zoom.to) };
  const curves = useData<Curves>(`experiments/${props.id}/curves`, {
    metric: props.metric,
    step: props.step,
    by: props.by === "" ? [""] : props.by,
    each: props.each ? 1 : null,
    filter: props.filters,
    points: 600,
    ...range,
  });
  const data = curves.data;
  const series = useMemo(() => (data === null ? [] : seriesOf(data, props.each)), [data, props.each]);
  const stages = useMemo(
    () =>
      data === null || data.stages.length < 2
        ? undefined
        : data.stages.map((s) => ({ from: s.from, to: s.to, label: s.label })),
    [data],
  );
  const look = measureLook(props.metric);
  return (
    <section class="panel" aria-label={props.metric}>
      <h2 class="panel-title" title={props.metric}>
        {props.metric}
      </h2>
      <Answer of={curves} height={props.height + 60} lines={4}>
        {(d) => (
          <Chart
            label={`${props.metric}${props.by === "" ? "" : ` by ${props.by}`}`}
            series={series}
            xLabel="Training step"
            yLabel={
              look.unit === "%"
                ? `${cut(props.metric, 40)} (%)`
                : look.title === props.metric
                  ? cut(props.metric, 40)
                  : look.title
            }
            yFormat={(y) => brief(y)}
            height={props.height}
            yLog={props.log}
            onZoom={setZoom}
            {...(stages === undefined ? {} : { stages })}
            note={
              <>
                {props.each ? plural(d.groups.length, "series", "series") : `Mean; band: ${d.band}`} ·{" "}
                {compact(d.points_total)} points
                {d.ready === false && " · still reading"}
              </>
            }
          />
        )}
      </Answer>
    </section>
  );
}

export function CurvesView(props: ExperimentViewProps): VNode {
  const { id, doc } = props;
  const [query, change] = useQuery();
  const all = metricsOf(doc);
  if (all.length === 0)
    return <Empty title="No curves">No step of this experiment has sent training metrics yet.</Empty>;
  const asked = query.getAll("metric").filter((m) => all.some((a) => a.name === m));
  const metrics = (asked.length > 0 ? asked : firstMetrics(all)).slice(0, CHARTS_MAX);
  const steps = [...new Set((doc.metrics ?? []).map((m) => m.step))];
  const step = query.get("step") ?? "";
  const params = groupings(doc).map((c) => c.name);
  const by = query.has("by") ? (query.get("by") ?? "") : firstGrouping(doc);
  const each = query.get("each") === "1";
  const filters = filtersOf(query);
  const one = metrics.length === 1;
  return (
    <div class="curves">
      <div class="view-bar">
        <Select
          label="Grouped by"
          value={by}
          options={[
            { value: "", title: "nothing (all runs)" },
            ...params.map((p) => ({ value: p, title: shortName(p, params) })),
            ...(by !== "" && !params.includes(by) ? [by] : []),
          ]}
          onChange={(v) => change({ by: v === "" ? [""] : v })}
        />
        {steps.length > 1 && (
          <Select
            label="Step"
            value={step}
            options={[{ value: "", title: "all, in order" }, ...steps]}
            onChange={(v) => change({ step: v })}
          />
        )}
        <Choice
          label="Runs"
          value={each ? "each" : "mean"}
          options={[
            { value: "mean", title: "mean and band" },
            { value: "each", title: "each run" },
          ]}
          onChange={(v) => change({ each: v === "each" })}
        />
        <Choice
          label="Scale of y"
          value={query.get("scale") === "log" ? "log" : "linear"}
          options={["linear", "log"]}
          onChange={(v) => change({ scale: v === "log" ? v : null })}
        />
        <Popover label={`Metrics (${metrics.length} of ${all.length})`} title="Choose metrics" align="left">
          <ul class="chooser-list">
            {all.map((m) => (
              <li key={m.name}>
                <label>
                  <input
                    type="checkbox"
                    checked={metrics.includes(m.name)}
                    disabled={one && metrics[0] === m.name}
                    onChange={() =>
                      change({
                        metric: metrics.includes(m.name)
                          ? metrics.filter((x) => x !== m.name)
                          : [...metrics, m.name],
                      })
                    }
                  />
                  <span class="metric-name">{m.name}</span> <span class="muted">{compact(m.points)}</span>
                </label>
              </li>
            ))}
          </ul>
        </Popover>
        <FilterBar
          columns={[{ name: "run" }, ...doc.columns]}
          filters={filters}
          onChange={(list) => change({ filter: list.map(filterText) })}
        />
      </div>
      <div class={one ? "panels one" : "panels"}>
        {metrics.map((m) => (
          <CurvePanel
            key={m}
            id={id}
            metric={m}
            step={step}
            by={by}
            each={each}
            log={query.get("scale") === "log"}
            filters={filters.map(filterText)}
            height={one ? 420 : 250}
          />
        ))}
      </div>
    </div>
  );
}
