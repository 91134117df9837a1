// SPDX-License-Identifier: Apache-2.0
// Which value of a parameter wins, and by how much: a sentence, and a forest plot whose rows are a
// table.
import type { VNode } from "preact";
import { Answer, Card, Choice, CopyButton, Empty, Select } from "../components/basics";
import { FilterBar } from "../components/filterbar";
import { ForestMark, ForestScale } from "../components/forest";
import { Sentence } from "../components/sentence";
import { useData } from "../lib/data";
import { firstMeasure, groupings, measures, shortName } from "../lib/columns";
import { markdown } from "../lib/export";
import { filterText, filtersOf } from "../lib/filters";
import { ForestItem, forestAxis } from "../lib/forest";
import { integer } from "../lib/format";
import { gapText, intervalText, MeasureLook, measureLook, measureText, pText } from "../lib/measures";
import { link, useQuery } from "../lib/router";
import { bestRow, plain, valueText, winnerWords } from "../lib/sentences";
import type { Compare, CompareRow } from "../lib/types";
import type { ExperimentViewProps } from "../shell/experiment_frame";

type Shows = "difference" | "value";
type Order = "best" | "value";

function ordered(c: Compare, order: Order): CompareRow[] {
  if (order === "value") return c.rows;
  const sign = c.better === "lower" ? 1 : -1;
  return [...c.rows].sort((a, b) => {
    if (a.mean === null || b.mean === null) return Number(a.mean === null) - Number(b.mean === null);
    return (a.mean - b.mean) * sign;
  });
}

function itemOf(r: CompareRow, shows: Shows): ForestItem {
  return shows === "difference"
    ? { at: r.difference, lo: r.diff_lo, hi: r.diff_hi }
    : { at: r.mean, lo: r.lo, hi: r.hi };
}

function isBaseline(c: Compare, r: CompareRow): boolean {
  return c.baseline !== null && String(r.value) === String(c.baseline);
}

function asMarkdown(c: Compare, rows: CompareRow[], look: MeasureLook): string {
  return markdown(
    [c.by, "runs", "seeds", "n", look.title, "95 % interval", "difference", "95 % interval", "p (Holm)"],
    rows.map((r) => [
      valueText(r.value, 200),
      r.runs,
      r.seeds,
      r.n,
      measureText(r.mean, look, true),
      intervalText(r.lo, r.hi, look, false),
      isBaseline(c, r) ? "baseline" : gapText(r.difference, look),
      intervalText(r.diff_lo, r.diff_hi, look),
      pText(r.adjusted ?? r.p),
    ]),
  );
}

function ForestTable(props: {
  id: number;
  compare: Compare;
  shows: Shows;
  order: Order;
  filters: string[];
  onBaseline: (value: string) => void;
}): VNode {
  const { compare: c, shows } = props;
  const look = measureLook(c.measure);
  const rows = ordered(c, props.order);
  const axis = forestAxis(
    rows.map((r) =>
      isBaseline(c, r) && shows === "difference" ? { at: 0, lo: null, hi: null } : itemOf(r, shows),
    ),
    shows === "difference",
  );
  const best = bestRow(c);
  const title =
    shows === "difference"
      ? `Difference from ${valueText(c.baseline, 22)}${look.gap === "" ? "" : ` (${look.gap})`}`
      : look.title;
  return (
    <div class="plain-scroll" tabIndex={0} role="region" aria-label="Values and intervals">
      <table class="plain-table forest-table">
        <caption class="off-screen">{`${c.measure} by ${c.by}: ${plain(winnerWords(c))}`}</caption>
        <thead>
          <tr>
            <th scope="col">{c.by}</th>
            <th scope="col" class="num">
              Runs
            </th>
            <th scope="col" class="num">
              Seeds
            </th>
            <th scope="col" class="num">
              {look.title}
            </th>
            <th scope="col">95 % interval</th>
            <th scope="col" class="forest-cell">
              {title}
            </th>
            <th scope="col" class="num">
              Difference
            </th>
            <th scope="col">95 % interval</th>
            <th scope="col" class="num" title="Against the baseline, after Holm's correction">
              p
            </th>
            <th scope="col">
              <span class="off-screen">Baseline</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((r) => {
            const base = isBaseline(c, r);
            const wins = r === best;
            const name = valueText(r.value);
            return (
              <tr key={String(r.value)} class={wins ? "row-best" : ""}>
                <th scope="row" title={valueText(r.value, 400)}>
                  <a
                    href={link("experiments", props.id, "runs", {
                      filter: [...props.filters, `${c.by}~eq~${String(r.value ?? "")}`],
                    })}
                  >
                    {name}
                  </a>
                  {wins && <span class="badge tone-good">best</span>}
                </th>
                <td class="num" title="Runs that have a value">
                  {r.n < r.runs ? `${integer(r.n)} of ${integer(r.runs)}` : integer(r.runs)}
                </td>
                <td class="num">{integer(r.seeds)}</td>
                <td class="num strong">{measureText(r.mean, look, true)}</td>
                <td class="ci">{intervalText(r.lo, r.hi, look, false)}</td>
                <td class="forest-cell">
                  <ForestMark
                    axis={axis}
                    item={base && shows === "difference" ? { at: 0, lo: null, hi: null } : itemOf(r, shows)}
                    zero={shows === "difference"}
                    tone={base ? "base" : wins ? "best" : "plain"}
                    label={
                      shows === "difference"
                        ? `${name}: ${base ? "baseline" : `${gapText(r.difference, look)} ${intervalText(r.diff_lo, r.diff_hi, look)}`}`
                        : `${name}: ${measureText(r.mean, look)} ${intervalText(r.lo, r.hi, look, false)}`
                    }
                  />
                </td>
                <td class="num">
                  {base ? <span class="muted">baseline</span> : gapText(r.difference, look)}
                </td>
                <td class="ci">{base ? "" : intervalText(r.diff_lo, r.diff_hi, look)}</td>
                <td class="num">{base ? "" : pText(r.adjusted ?? r.p)}</td>
                <td class="base-cell">
                  {!base && (
                    <button
                      type="button"
                      class="button plain small base-button"
                      title={`Compare all with ${name}`}
                      aria-label={`Make ${name} the baseline`}
                      onClick={() => props.onBaseline(String(r.value ?? ""))}
                    >
                      ⇤
                    </button>
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
        <tfoot>
          <tr>
            <td colSpan={5} />
            <td class="forest-cell">
              <ForestScale axis={axis} scale={look.scale} signed={shows === "difference"} />
            </td>
            <td colSpan={4} />
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

export function CompareView(props: ExperimentViewProps): VNode {
  const { id, doc } = props;
  const [query, change] = useQuery();
  const params = groupings(doc).map((c) => c.name);
  const offered = measures(doc).map((m) => m.name);
  const measure = query.get("measure") ?? firstMeasure(doc);
  const by = query.get("by") ?? "";
  const filters = filtersOf(query);
  const scored = doc.steps.filter((s) => /^(evaluate|search)$/.test(s.kind)).map((s) => s.step);
  const step = query.get("step") ?? "";
  const compare = useData<Compare>(params.length === 0 ? null : `experiments/${id}/compare`, {
    measure,
    by,
    step,
    baseline: query.get("baseline"),
    filter: filters.map(filterText),
  });
  if (params.length === 0)
    return <Empty title="Nothing to compare">All runs of this experiment have the same parameters.</Empty>;
  const asked = compare.data;
  const nowBy = by === "" ? (asked?.by ?? params[0] ?? "") : by;
  const shows: Shows = query.get("show") === "value" || asked?.baseline === null ? "value" : "difference";
  const order: Order = query.get("order") === "value" ? "value" : "best";
  return (
    <div class="compare">
      <div class="view-bar">
        <Select
          label="Measure"
          value={measure}
          options={[...new Set([measure, ...offered])]}
          onChange={(v) => change({ measure: v, baseline: query.get("baseline") })}
        />
        <Select
          label="of"
          value={nowBy}
          options={[...new Set([nowBy, ...params])].map((p) => ({ value: p, title: shortName(p, params) }))}
          onChange={(v) => change({ by: v, baseline: null })}
        />
        {asked !== null && (
          <Select
            label="against"
            value={String(asked.baseline ?? "")}
            options={[...new Set(asked.rows.map((r) => String(r.value ?? "")))].map((v) => ({
              value: v,
              title: valueText(v, 50),
            }))}
            onChange={(v) => change({ baseline: v })}
          />
        )}
        {scored.length > 1 && (
          <Select
            label="in step"
            value={step}
            options={[{ value: "", title: "all" }, ...scored]}
            onChange={(v) => change({ step: v })}
          />
        )}
        <Choice
          label="Shown"
          value={shows}
          options={["difference", "value"]}
          onChange={(v) => change({ show: v === "value" ? v : null })}
        />
        <Choice
          label="Order"
          value={order}
          options={[
            { value: "best", title: "best first" },
            { value: "value", title: "by value" },
          ]}
          onChange={(v) => change({ order: v === "value" ? v : null })}
        />
        <FilterBar
          columns={[{ name: "run" }, ...doc.columns]}
          filters={filters}
          onChange={(list) => change({ filter: list.map(filterText) })}
        />
      </div>
      <Answer of={compare} height={320} lines={6}>
        {(c) =>
          c.rows.length === 0 ? (
            <Empty title="No runs">No run that the filters let through has a value of {c.measure}.</Empty>
          ) : (
            <Card label="Comparison" class="compare-card">
              <div class="lead-row">
                <Sentence words={winnerWords(c)} />
                <CopyButton
                  text={() =>
                    plain(winnerWords(c)) + "\n\n" + asMarkdown(c, ordered(c, order), measureLook(c.measure))
                  }
                  label="Copy"
                  title="Sentence and table as Markdown"
                />
              </div>
              <ForestTable
                id={id}
                compare={c}
                shows={shows}
                order={order}
                filters={filters.map(filterText)}
                onBaseline={(v) => change({ baseline: v })}
              />
              {c.notes.length > 0 && (
                <ul class="notes">
                  {c.notes.map((n) => (
                    <li key={n}>{n}</li>
                  ))}
                </ul>
              )}
            </Card>
          )
        }
      </Answer>
    </div>
  );
}
