// SPDX-License-Identifier: Apache-2.0
// What is behind one number of a table: runs, jobs, examples and the SQL that computes it.
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Answer, CopyButton, Facts, State } from "../components/basics";
import { useData } from "../lib/data";
import { bare } from "../lib/columns";
import { cell as cellText, cut, integer, number, plural } from "../lib/format";
import { pText, signed } from "../lib/measures";
import { link } from "../lib/router";
import type { Cell } from "../lib/types";
import type { Comparison } from "./tables";
import { paperText } from "./tables";

interface CellAnswer {
  table: string;
  row: Record<string, Cell>;
  column: string;
  text: string;
  value: number | null;
  scale?: number;
  n: number;
  seeds: number;
  seeds_wanted: number;
  comparison: Comparison | null;
  sql: string[] | string;
  runs: { run: number; experiment: string; seed: number; params: string | Record<string, string> }[];
  jobs: { job: number; kind: string; step: string; state: string }[];
  examples?: Record<string, Cell>[];
  notes?: string[];
}

const RUNS_MAX = 60;
const JOBS_MAX = 60;
const EXAMPLES_MAX = 100;

function params(p: string | Record<string, string>): string {
  let object: Record<string, unknown> = {};
  try {
    object = typeof p === "string" ? (JSON.parse(p) as Record<string, unknown>) : p;
  } catch {
    return String(p);
  }
  return Object.entries(object)
    .map(([k, v]) => `${k.split(".").pop() ?? k} ${String(bare(v as Cell))}`)
    .join(", ");
}

const testNames: Record<string, string> = {
  paired_t_examples: "paired t test over examples",
  mcnemar: "McNemar's test",
  paired_t_seeds: "paired t test over seeds",
  welch_t_seeds: "Welch's t test over seeds",
  bca_examples: "BCa bootstrap over examples",
  two_level: "two-level bootstrap over seeds, then examples",
  t_seeds: "t interval over seeds",
};

function Compared(props: { of: Comparison; scale: number }): VNode {
  const { of, scale } = props;
  const one = (x: number | null): string => (x === null ? "–" : signed(x * scale, 2));
  return (
    <Facts
      items={[
        [
          "Difference",
          `${one(of.difference)}${of.low !== null && of.high !== null ? ` [${one(of.low)}, ${one(of.high)}]` : ""}`,
        ],
        of.interval !== null && ["Interval", testNames[of.interval] ?? of.interval],
        of.test !== null && ["Test", testNames[of.test] ?? of.test],
        of.p !== null && [
          "p",
          `${pText(of.p)}${of.p_adjusted !== null ? `, ${pText(of.p_adjusted)} after Holm` : ""}`,
        ],
      ]}
    />
  );
}

function Examples(props: { rows: Record<string, Cell>[] }): VNode {
  const names = [...new Set(props.rows.slice(0, EXAMPLES_MAX).flatMap((r) => Object.keys(r)))].slice(0, 12);
  return (
    <details>
      <summary>
        {props.rows.length >= EXAMPLES_MAX
          ? `The first ${EXAMPLES_MAX} examples`
          : plural(props.rows.length, "example")}
      </summary>
      <div class="plain-scroll numbers" tabIndex={0} role="region" aria-label="Examples behind the number">
        <table class="plain-table">
          <caption class="off-screen">Examples behind the number</caption>
          <thead>
            <tr>
              {names.map((n) => (
                <th key={n} scope="col">
                  {n}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {props.rows.slice(0, EXAMPLES_MAX).map((r, k) => (
              <tr key={k}>
                {names.map((n) => (
                  <td key={n} class={typeof r[n] === "number" ? "num" : ""}>
                    {cut(cellText(r[n] ?? null), 80)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

export function CellPanel(props: {
  id: number;
  table: number;
  row: number;
  column: number;
  onClose: () => void;
}): VNode {
  const answer = useData<CellAnswer>(
    `experiments/${props.id}/tables/cell`,
    { table: props.table, row: props.row, column: props.column },
    { live: false },
  );
  const panel = useRef<HTMLElement>(null);
  useEffect(() => panel.current?.scrollIntoView({ block: "nearest" }), [answer.data !== null]);
  return (
    <section
      class="cell-panel"
      ref={panel}
      aria-label="Behind the number"
      onKeyDown={(event) => {
        if (event.key === "Escape") props.onClose();
      }}
    >
      <button type="button" class="button plain small cell-close" aria-label="Close" onClick={props.onClose}>
        ✕
      </button>
      <Answer of={answer} lines={4}>
        {(d) => {
          const sql = Array.isArray(d.sql) ? d.sql : [d.sql];
          return (
            <>
              <h3>
                <span class="cell-value">{paperText(d.text)}</span>{" "}
                <span class="muted">
                  {cut(d.column, 120)} ·{" "}
                  {cut(
                    Object.entries(d.row)
                      .map(([k, v]) => `${k.split(".").pop() ?? k} ${String(bare(v))}`)
                      .join(", "),
                    200,
                  )}
                </span>
              </h3>
              <div class="cell-columns">
                <div class="facts-row">
                  <Facts
                    items={[
                      ["Value", number(d.value, 6)],
                      ["Examples", integer(d.n)],
                      ["Seeds", `${integer(d.seeds)} of ${integer(d.seeds_wanted)}`],
                    ]}
                  />
                  {d.comparison !== null && d.comparison !== undefined && (
                    <Compared of={d.comparison} scale={d.scale ?? 1} />
                  )}
                </div>
                <div>
                  <h4>{plural(d.runs.length, "run")}</h4>
                  <ul class="link-list">
                    {d.runs.slice(0, RUNS_MAX).map((r) => (
                      <li key={r.run}>
                        <a href={link("runs", r.run)}>{`Run ${r.run}`}</a>{" "}
                        <span class="muted">
                          seed {r.seed}
                          {params(r.params) !== "" && `, ${cut(params(r.params), 100)}`}
                        </span>
                      </li>
                    ))}
                    {d.runs.length > RUNS_MAX && (
                      <li class="muted">and {integer(d.runs.length - RUNS_MAX)} more</li>
                    )}
                  </ul>
                </div>
                <div>
                  <h4>{plural(d.jobs.length, "job")}</h4>
                  <ul class="link-list">
                    {d.jobs.slice(0, JOBS_MAX).map((j) => (
                      <li key={j.job}>
                        <a href={link("jobs", j.job)}>{`Job ${j.job}`}</a>{" "}
                        <span class="muted">{`${j.step} (${j.kind})`}</span>{" "}
                        <State state={j.state.toLowerCase()} />
                      </li>
                    ))}
                    {d.jobs.length > JOBS_MAX && (
                      <li class="muted">and {integer(d.jobs.length - JOBS_MAX)} more</li>
                    )}
                  </ul>
                </div>
              </div>
              {sql.length > 0 && (
                <div class="cell-sql">
                  <h4>
                    SQL that computes it <CopyButton text={sql[sql.length - 1] ?? ""} label="Copy" />
                  </h4>
                  <pre tabIndex={0}>{cut(sql[sql.length - 1] ?? "", 20000)}</pre>
                </div>
              )}
              {d.examples !== undefined && d.examples.length > 0 && <Examples rows={d.examples} />}
            </>
          );
        }}
      </Answer>
    </section>
  );
}
