// SPDX-License-Identifier: Apache-2.0
// The tables that the recipe specifies, as they would be printed in a paper, computed from what the
// store has now. A cell leads to the runs, jobs and the SQL behind it.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Answer, Card, CopyButton, Empty, ErrorNote, Loading } from "../components/basics";
import { get } from "../lib/api";
import { useData } from "../lib/data";
import { cut, integer } from "../lib/format";
import { useQuery } from "../lib/router";
import { headRows, keySpans } from "../lib/spans";
import type { ExperimentViewProps } from "../shell/experiment_frame";
import { CellPanel } from "./tables_cell";

export interface PaperColumn {
  head: string;
  above: string[];
  key: boolean;
  better?: "higher" | "lower" | null;
  step?: string;
}

export interface Comparison {
  difference: number;
  low: number | null;
  high: number | null;
  p: number | null;
  p_adjusted: number | null;
  stars: number;
  test: string | null;
  interval: string | null;
}

export interface PaperCell {
  text: string;
  value?: number | null;
  n?: number;
  seeds?: number;
  seeds_wanted?: number;
  seeds_diverged?: number;
  unequal?: boolean;
  best?: boolean;
  second?: boolean;
  baseline?: boolean;
  comparison?: Comparison | null;
}

export interface PaperTable {
  number: number;
  title: string;
  caption: string | null;
  columns: PaperColumn[];
  rows: { total: boolean; cells: PaperCell[] }[];
  notes: string[];
  footer?: {
    experiments?: { experiment: string; revision: number; last_result: string | null }[];
    checksum?: string;
  };
}

interface TablesAnswer {
  tables: PaperTable[];
  errors: { number?: number; name: string; text: string }[];
}

const formats = ["latex", "markdown", "csv"] as const;
const formatNames = { latex: "LaTeX", markdown: "Markdown", csv: "CSV" };

// A real minus before numbers, as papers print it.
export function paperText(text: string): string {
  return text.replace(/(^|[\s([{,/])-(?=\d|\.\d)/g, "$1−");
}

function CellText(props: { cell: PaperCell }): VNode {
  const { cell } = props;
  const stars = cell.comparison?.stars ?? 0;
  const text = paperText(cell.text);
  const marked = text.includes("*");
  return (
    <>
      <span class={(cell.best === true ? "cell-best" : "") + (cell.second === true ? " cell-second" : "")}>
        {text}
      </span>
      {stars > 0 && !marked && <sup class="cell-stars">{"*".repeat(Math.min(4, stars))}</sup>}
      {cell.seeds_wanted !== undefined &&
        cell.seeds !== undefined &&
        cell.seeds < cell.seeds_wanted &&
        cell.seeds > 0 && (
          <sup class="cell-partial" title={`${cell.seeds} of ${cell.seeds_wanted} seeds`}>
            {cell.seeds}/{cell.seeds_wanted}
          </sup>
        )}
    </>
  );
}

function cellHint(cell: PaperCell): string {
  const parts = [
    cell.n !== undefined && cell.n > 0 ? `n = ${integer(cell.n)}` : "",
    cell.seeds !== undefined && cell.seeds > 0
      ? `${cell.seeds} of ${cell.seeds_wanted ?? cell.seeds} seeds`
      : "",
    cell.seeds_diverged !== undefined && cell.seeds_diverged > 0 ? `${cell.seeds_diverged} diverged` : "",
    cell.unequal === true ? "unequal numbers of examples" : "",
    cell.baseline === true ? "the baseline" : "",
    cell.best === true ? "best" : cell.second === true ? "second" : "",
  ];
  return parts.filter((p) => p !== "").join(", ");
}

interface At {
  row: number; // from 1, as drover cell
  column: number; // from 1, behind the keys
}

function Body(props: { table: PaperTable; keys: number; at: At | null; onPick: (at: At) => void }): VNode {
  const { table, keys } = props;
  const spans = keySpans(
    table.rows.map((r) => ({ keys: r.cells.slice(0, keys).map((c) => c.text), total: r.total })),
  );
  const numbers = table.columns.length - keys;
  const [focus, setFocus] = useState<At>({ row: 1, column: 1 });
  const body = useRef<HTMLTableSectionElement>(null);
  const move = (event: KeyboardEvent): void => {
    const by: Record<string, [number, number]> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    const step = by[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const to = {
      row: Math.max(1, Math.min(table.rows.length, focus.row + step[0])),
      column: Math.max(1, Math.min(numbers, focus.column + step[1])),
    };
    setFocus(to);
    body.current?.querySelector<HTMLElement>(`[data-cell="${to.row} ${to.column}"]`)?.focus();
  };
  return (
    <tbody ref={body} onKeyDown={move}>
      {table.rows.map((row, r) => (
        <tr key={r} class={row.total ? "paper-total" : ""}>
          {row.cells.map((cell, c) => {
            if (c < keys) {
              const span = spans[r]?.[c] ?? 1;
              if (span === 0) return null;
              return (
                <th key={c} scope="row" rowSpan={span}>
                  {cut(cell.text, 300)}
                </th>
              );
            }
            const at = { row: r + 1, column: c - keys + 1 };
            const open = props.at?.row === at.row && props.at.column === at.column;
            return (
              <td key={c} class={open ? "cell-open" : ""}>
                <button
                  type="button"
                  class="cell-button"
                  data-cell={`${at.row} ${at.column}`}
                  tabIndex={focus.row === at.row && focus.column === at.column ? 0 : -1}
                  title={cellHint(cell)}
                  aria-expanded={open}
                  onFocus={() => setFocus(at)}
                  onClick={() => props.onPick(at)}
                >
                  <CellText cell={cell} />
                </button>
              </td>
            );
          })}
        </tr>
      ))}
    </tbody>
  );
}

function Paper(props: {
  id: number;
  table: PaperTable;
  at: At | null;
  onPick: (at: At | null) => void;
}): VNode {
  const { id, table } = props;
  const keys = table.columns.filter((c) => c.key).length;
  const heads = headRows(table.columns);
  const origin = table.footer?.experiments?.[0];
  const copy = (format: (typeof formats)[number]) => async (): Promise<string> => {
    const answer = await get<{ text?: string; tables: { text: string }[] }>(`experiments/${id}/tables`, {
      format,
      only: table.number,
    });
    return answer.tables[0]?.text ?? answer.text ?? "";
  };
  return (
    <Card
      title={cut(table.title, 300)}
      class="paper-card"
      actions={formats.map((f) => (
        <CopyButton key={f} label={formatNames[f]} title={`Copy as ${formatNames[f]}`} text={copy(f)} />
      ))}
    >
      {table.caption !== null && table.caption !== "" && <p class="paper-caption">{table.caption}</p>}
      <div class="plain-scroll paper-scroll">
        <table class="paper">
          <caption class="off-screen">
            {table.title}. Arrow keys move in it, Enter shows what is behind a number.
          </caption>
          <thead>
            {heads.map((row, r) => (
              <tr key={r}>
                {row.map((h) => (
                  <th
                    key={h.column}
                    scope={h.leaf ? "col" : "colgroup"}
                    colSpan={h.colspan}
                    rowSpan={h.rowspan}
                    class={(h.key ? "paper-key" : "") + (h.leaf ? "" : " paper-span")}
                  >
                    <span>{h.text}</span>
                  </th>
                ))}
              </tr>
            ))}
          </thead>
          <Body table={table} keys={keys} at={props.at} onPick={props.onPick} />
        </table>
      </div>
      {table.notes.length > 0 && (
        <ul class="notes">
          {table.notes.map((n) => (
            <li key={n}>{paperText(n)}</li>
          ))}
          {table.rows.some((r) => r.cells.some((c) => c.best === true)) && (
            <li>
              <span class="cell-best">Bold</span>: the best of its column
              {table.rows.some((r) => r.cells.some((c) => c.second === true)) && (
                <>
                  ; <span class="cell-second">underlined</span>: the second
                </>
              )}
              .
            </li>
          )}
        </ul>
      )}
      {origin !== undefined && (
        <p class="paper-origin">
          {cut(origin.experiment, 100)}, revision {origin.revision}
          {origin.last_result !== null && <>, last result {origin.last_result}</>}
          {table.footer?.checksum !== undefined && (
            <>
              , checksum <code>{table.footer.checksum.slice(0, 12)}</code>
            </>
          )}
        </p>
      )}
      {props.at !== null && (
        <CellPanel
          key={`${props.at.row} ${props.at.column}`}
          id={id}
          table={table.number}
          row={props.at.row}
          column={props.at.column}
          onClose={() => props.onPick(null)}
        />
      )}
    </Card>
  );
}

interface Titles {
  of?: number;
  tables: { number: number; title: string }[];
  errors: TablesAnswer["errors"];
  /** why there are none yet */
  note?: string;
}

// Tables are costly: they are asked again now and then, not with every change of the store.
const followed = { live: false, again: () => 15000 };

// One table, asked for when it is its turn: bootstraps of large tables take seconds.
function OneTable(props: {
  id: number;
  number: number;
  title: string;
  turn: boolean;
  onDone: () => void;
}): VNode {
  const { id, number } = props;
  const [query, change] = useQuery();
  const answer = useData<TablesAnswer>(
    props.turn ? `experiments/${id}/tables` : null,
    { only: number },
    followed,
  );
  const done = answer.data !== null || answer.error !== null;
  useEffect(() => {
    if (done) props.onDone();
  }, [done]);
  const table = answer.data?.tables[0];
  const open = {
    table: Number(query.get("table")),
    row: Number(query.get("row")),
    column: Number(query.get("column")),
  };
  if (table === undefined) {
    return (
      <Card title={cut(props.title, 300)}>
        <div class="card-body">
          {answer.error !== null && <ErrorNote error={answer.error} retry={answer.retry} />}
          {answer.data?.errors.map((e) => (
            <ErrorNote key={e.name} error={{ message: e.text }} retry={answer.retry} />
          ))}
          {!done && (
            <Loading lines={4} label={props.turn ? "Computing the table" : "Waiting for the tables above"} />
          )}
        </div>
      </Card>
    );
  }
  return (
    <Paper
      id={id}
      table={{ ...table, number }}
      at={
        open.table === number && open.row > 0 && open.column > 0
          ? { row: open.row, column: open.column }
          : null
      }
      onPick={(at) => {
        const same = at !== null && open.table === number && open.row === at.row && open.column === at.column;
        change(
          at === null || same
            ? { table: null, row: null, column: null }
            : { table: number, row: at.row, column: at.column },
        );
      }}
    />
  );
}

export function TablesView(props: ExperimentViewProps): VNode {
  const titles = useData<Titles>(`experiments/${props.id}/tables`, { titles: 1 }, {
    live: false,
    again: (t) => (t.tables.length === 0 ? 3000 : 0),
  });
  const [done, setDone] = useState(0);
  return (
    <Answer of={titles} height={400} lines={8}>
      {(d) => (
        <div class="papers">
          {d.tables.length === 0 && d.errors.length === 0 && (
            <Empty title={typeof d.note === "string" ? "No tables yet" : "No tables"}>
              {d.note ?? "The recipe of this experiment specifies none (docs/tables.md tells how)."}
            </Empty>
          )}
          {d.tables.map((t, k) => (
            <OneTable
              key={t.number}
              id={props.id}
              number={t.number}
              title={t.title}
              turn={k <= done}
              onDone={() => setDone((n) => Math.max(n, k + 1))}
            />
          ))}
          {d.errors.map((e) => (
            <ErrorNote key={`${e.number ?? ""} ${e.name}`} error={{ message: `${e.name}: ${e.text}` }} />
          ))}
        </div>
      )}
    </Answer>
  );
}
