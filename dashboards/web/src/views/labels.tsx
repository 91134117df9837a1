// SPDX-License-Identifier: Apache-2.0
// What searches found: which layers the labels skip and repeat, how long their paths are, how many
// questions they solve; and the examples one by one.
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { Answer, Card, Choice, Empty } from "../components/basics";
import { Histogram } from "../components/bars";
import { Heatmap } from "../components/heatmap";
import { Sentence } from "../components/sentence";
import { useData } from "../lib/data";
import { integer, share } from "../lib/format";
import { firstRows, labelRows, LabelRow, RowsBy } from "../lib/labels";
import { go, link, useQuery } from "../lib/router";
import { layerShares, outcomeWords, skippedWords } from "../lib/sentences";
import type { Labels, LabelSet } from "../lib/types";
import type { ExperimentViewProps } from "../shell/experiment_frame";
import { LabelChoice, LabelWords, labelQuestion } from "./labels_choice";

export { ExamplesView } from "./labels_examples";

type LabelsAnswer = Labels &
  LabelWords & {
    ready?: boolean;
    depths_differ?: boolean;
    sets_total?: number;
    all: LabelSet & { loaded?: number };
  };

const ROWS_MAX = 60;

// CHOOSE: what the row stands for, on top of what the whole view is narrowed to.
function examplesLink(
  id: number,
  choose: LabelRow["choose"] | null,
  query: URLSearchParams,
  more: Record<string, string>,
): string {
  return link("experiments", id, "examples", { ...labelQuestion(query), ...(choose ?? {}), ...more });
}

function LayerMap(props: {
  id: number;
  data: LabelsAnswer;
  sets: LabelRow[];
  choice: 0 | 2;
  query: URLSearchParams;
}): VNode {
  const { data, choice } = props;
  const word = choice === 0 ? "skip" : "repeat";
  const rows = allRows(data, props.sets);
  const depth = Math.max(0, ...rows.map((r) => r.set.per_layer.length));
  const values = rows.map((r) => {
    const shares = layerShares(r.set.per_layer, choice);
    return Array.from({ length: depth }, (_, l) => (r.set.labelled > 0 ? (shares[l]?.share ?? null) : null));
  });
  const most = Math.max(0.01, ...values.flat().map((v) => v ?? 0));
  return (
    <Card title={choice === 0 ? "Skipped, % of labels" : "Repeated, % of labels"}>
      <Heatmap
        label={`Share of labels that ${word} a layer`}
        rows={rows.map((r) => r.name)}
        columns={Array.from({ length: depth }, (_, l) => String(l))}
        columnLabel="layer"
        values={values}
        min={0}
        max={most}
        numbers
        rowHeight={rows.length > 30 ? 18 : 24}
        format={(v) => (v * 100).toFixed(v > 0 && v < 0.0995 ? 1 : 0)}
        describe={(r, l) => {
          const counts = rows[r]?.set.per_layer[l];
          if (counts === undefined) return ["no such layer"];
          const n = Math.max(1, counts[0] + counts[1] + counts[2]);
          return (["skip", "execute", "repeat"] as const).map(
            (w, k) => `${w} ${share(counts[k]! / n)} (${integer(counts[k])})`,
          );
        }}
        onPick={(r, l) =>
          go(examplesLink(props.id, rows[r]?.choose ?? null, props.query, { at: `${l}:${word}` }))
        }
      />
    </Card>
  );
}

// The sum of all first, where there is more than one row.
function allRows(data: LabelsAnswer, sets: LabelRow[]): LabelRow[] {
  const all: LabelRow = { name: "all", set: data.all, choose: {} };
  return sets.length > 1 ? [all, ...sets.slice(0, ROWS_MAX)] : [{ ...all, name: sets[0]?.name ?? "all" }];
}

const outcomes = [
  ["preserved", "good", "right before and with the label"],
  ["improved", "busy", "wrong before, right with the label"],
  ["unsolved", "idle", "no path that was tried answers right"],
] as const;

function OutcomeBar(props: { set: LabelSet; name: string }): VNode {
  const { set } = props;
  const text = outcomes.map(([o]) => `${o} ${share(set[o] / Math.max(1, set.n))}`).join(", ");
  return (
    <div class="progress tall" role="img" aria-label={`${props.name}: ${text}`} title={text}>
      {outcomes.map(([o, tone]) =>
        set[o] > 0 ? (
          <span
            key={o}
            class={`progress-part outcome-${o} part-${tone}`}
            style={{ flexGrow: set[o] / Math.max(1, set.n) }}
          />
        ) : null,
      )}
    </div>
  );
}

function OutcomeTable(props: {
  id: number;
  data: LabelsAnswer;
  sets: LabelRow[];
  query: URLSearchParams;
}): VNode {
  const rows = allRows(props.data, props.sets);
  return (
    <div class="plain-scroll" tabIndex={0} role="region" aria-label="Outcomes by task and level">
      <table class="plain-table outcome-table">
        <caption class="off-screen">What the labels do, by task and level</caption>
        <thead>
          <tr>
            <th scope="col">Questions</th>
            <th scope="col" class="num">
              n
            </th>
            {outcomes.map(([o, , hint]) => (
              <th key={o} scope="col" class="num" title={hint}>
                {o}
              </th>
            ))}
            <th scope="col">
              <span class="outcome-key">
                {outcomes.map(([o, tone]) => (
                  <span key={o}>
                    <i class={`outcome-${o} part-${tone}`} aria-hidden="true" /> {o}
                  </span>
                ))}
              </span>
            </th>
            <th scope="col" class="num" title="Mean layer applications of the labels' paths">
              Mean layers
            </th>
            <th scope="col" class="num">
              of
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ set: s, name, choose }, k) => {
            const all = rows.length > 1 && k === 0;
            return (
              <tr key={k} class={all ? "row-total" : ""}>
                <th scope="row">{name}</th>
                <td class="num">{integer(s.n)}</td>
                {outcomes.map(([o]) => (
                  <td key={o} class="num">
                    <a
                      href={examplesLink(props.id, choose, props.query, { show: o })}
                      aria-label={`${name}: ${integer(s[o])} ${o}`}
                    >
                      {integer(s[o])}
                    </a>
                  </td>
                ))}
                <td class="outcome-cell">
                  <OutcomeBar set={s} name={name} />
                </td>
                <td class="num">{s.mean_layers === null ? "–" : s.mean_layers.toFixed(2)}</td>
                <td class="num">{integer(s.layers)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

// Every length between the shortest and the longest, so that gaps are seen.
function lengthBins(all: LabelSet): { x: number; n: number }[] {
  const by = new Map(all.lengths);
  const at = [...by.keys(), ...(all.layers > 0 ? [all.layers] : [])];
  if (at.length === 0) return [];
  const [lo, hi] = [Math.min(...at), Math.max(...at)];
  return Array.from({ length: Math.min(600, hi - lo + 1) }, (_, k) => ({
    x: lo + k,
    n: by.get(lo + k) ?? 0,
  }));
}

export function LabelsView(props: ExperimentViewProps): VNode {
  const [query, change] = useQuery();
  const labels = useData<LabelsAnswer>(`experiments/${props.id}/labels`, labelQuestion(query), {
    again: (d) => (d.ready === false ? 1000 : 0),
  });
  const asked = query.get("rows");
  const rowsBy: RowsBy =
    asked === "task" || asked === "step" || asked === "set" ? asked : firstRows(labels.data?.sets ?? []);
  const sets = useMemo(() => labelRows(labels.data?.sets ?? [], rowsBy), [labels.data, rowsBy]);
  const many = (labels.data?.sets.length ?? 0) > 1;
  return (
    <div class="labels">
      <div class="view-bar">
        <LabelChoice words={labels.data} />
        {many && (
          <Choice
            label="Rows"
            value={rowsBy}
            options={[
              { value: "task", title: "by task and level" },
              { value: "step", title: "by step" },
              { value: "set", title: "each set" },
            ]}
            onChange={(v) => change({ rows: v })}
          />
        )}
        <a class="button small" href={examplesLink(props.id, null, query, {})}>
          Examples
        </a>
        {labels.data?.ready === false && (
          <span class="muted" role="status">
            adding up labels: {share(labels.data.all.loaded ?? 0, 0)}
          </span>
        )}
      </div>
      <Answer of={labels} height={400} lines={8}>
        {(d) =>
          d.all.n === 0 ? (
            <Empty title="No labels yet">
              Searches have not sent a result that these choices let through.
            </Empty>
          ) : (
            <>
              <div class="lead-block">
                <Sentence words={skippedWords(d.all.per_layer, d.all.labelled)} />
                <Sentence words={outcomeWords(d.all)} lead={false} />
              </div>
              <LayerMap id={props.id} data={d} sets={sets} choice={0} query={query} />
              <LayerMap id={props.id} data={d} sets={sets} choice={2} query={query} />
              {d.depths_differ === true && (
                <p class="muted">
                  Models of different depth are added up: layers are counted from the first.
                </p>
              )}
              {sets.length > ROWS_MAX && (
                <p class="muted">
                  The maps show the first {ROWS_MAX} of {integer(sets.length)} rows.
                </p>
              )}
              <div class="two-columns">
                <Card title="Outcomes">
                  <OutcomeTable id={props.id} data={d} sets={sets} query={query} />
                </Card>
                <Card title="Lengths of the labels' paths">
                  <Histogram
                    label="Labels by layer applications"
                    bins={lengthBins(d.all)}
                    xLabel="layer applications"
                    yLabel="labels"
                    shares
                    height={240}
                    mark={
                      d.all.layers > 0
                        ? { at: d.all.layers, label: `every layer once: ${d.all.layers}` }
                        : null
                    }
                    onPick={(k) => {
                      const x = lengthBins(d.all)[k]?.x;
                      if (x !== undefined)
                        go(
                          examplesLink(props.id, null, query, {
                            min_layers: String(x),
                            max_layers: String(x),
                          }),
                        );
                    }}
                  />
                </Card>
              </div>
            </>
          )
        }
      </Answer>
    </div>
  );
}
