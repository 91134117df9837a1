// SPDX-License-Identifier: Apache-2.0
// The runs of an experiment: one row each, sorted and filtered by the server, page by page.
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { State } from "../components/basics";
import { FilterBar } from "../components/filterbar";
import { DataTable } from "../components/table";
import type { Column } from "../components/table_columns";
import type { Source } from "../components/table_rows";
import { get } from "../lib/api";
import { bare, isParam, isState, shortName, shownAtFirst } from "../lib/columns";
import { Filter, filterText, filtersOf } from "../lib/filters";
import { cell, duration, integer, share } from "../lib/format";
import { asWritten, fixed, measureLook } from "../lib/measures";
import { go, link, useQuery } from "../lib/router";
import type { Cell, ExperimentDocument, RunColumn, RunsPage } from "../lib/types";
import type { ExperimentViewProps } from "../shell/experiment_frame";

export interface RunRow {
  run: number;
  cells: Record<string, Cell>;
}

function shown(c: RunColumn, value: Cell): string {
  if (typeof value !== "number") return cell(bare(value));
  if (isParam(c)) return asWritten(value);
  if (c.name === "seconds") return duration(value);
  const look = measureLook(c.name);
  return Number.isInteger(value) && look.scale === 1
    ? integer(value)
    : fixed(value * look.scale, look.digits);
}

function runColumns(doc: ExperimentDocument): Column<RunRow>[] {
  const names = doc.columns.map((c) => c.name);
  const id: Column<RunRow> = {
    name: "run",
    title: "Run",
    type: "number",
    width: 96,
    sort: true,
    fixed: true,
    descendingFirst: false,
    render: (r) => <a href={link("runs", r.run)}>{r.run}</a>,
    value: (r) => r.run,
  };
  const rest = doc.columns
    .filter((c) => c.name !== "run")
    .map((c): Column<RunRow> => {
      const look = measureLook(c.name);
      return {
        name: c.name,
        title: isParam(c) ? shortName(c.name, names) : look.unit === "%" ? `${c.name} %` : c.name,
        hint: isParam(c) ? `${c.name} (parameter)` : look.title,
        type: c.type,
        width: isState(c) ? 104 : c.type === "number" ? 108 : 132,
        sort: true,
        descendingFirst: c.type === "number" && look.better !== "lower" && !isParam(c),
        shown: shownAtFirst(c),
        render: (r) => {
          const value = r.cells[c.name] ?? null;
          return isState(c) ? <State state={String(value ?? "")} /> : shown(c, value);
        },
        value: (r) => r.cells[c.name] ?? null,
      };
    });
  // state, what tells runs apart, what came of them, counts
  const place = (name: string): number => {
    const c = doc.columns.find((x) => x.name === name);
    if (c === undefined || isState(c)) return 0;
    return isParam(c)
      ? 1
      : c.kind === ("run" as string)
        ? 2
        : c.kind === "measure" && name !== "seconds"
          ? 3
          : 4;
  };
  return [id, ...rest.sort((a, b) => place(a.name) - place(b.name))];
}

// One click for the runs of a state, with how many there are.
function StateFilters(props: {
  doc: ExperimentDocument;
  filters: Filter[];
  onChange: (f: Filter[]) => void;
}): VNode | null {
  const column = props.doc.columns.find(isState);
  const values = column?.values ?? [];
  if (column === undefined || values.length < 2) return null;
  const now = props.filters.find((f) => f.name === column.name && f.op === "eq")?.value ?? null;
  const others = props.filters.filter((f) => f.name !== column.name);
  return (
    <div class="choice" role="group" aria-label="Runs by state">
      <button
        type="button"
        class="choice-button"
        aria-pressed={now === null}
        onClick={() => props.onChange(others)}
      >
        all
      </button>
      {values.slice(0, 8).map((v) => (
        <button
          key={String(v.value)}
          type="button"
          class="choice-button"
          aria-pressed={now === String(v.value)}
          onClick={() => props.onChange([...others, { name: column.name, op: "eq", value: String(v.value) }])}
        >
          {String(v.value)} <span class="muted">{integer(v.n ?? (v as { runs?: number }).runs)}</span>
        </button>
      ))}
    </div>
  );
}

export function RunsView(props: ExperimentViewProps): VNode {
  const { id, doc } = props;
  const [query, change] = useQuery();
  const [loaded, setLoaded] = useState<number | null>(null);
  const [selection, setSelection] = useState<Set<string | number>>(new Set());
  const sort = query.get("sort") ?? "run";
  const filters = filtersOf(query);
  const question = { sort, filter: filters.map(filterText) };
  const key = JSON.stringify([id, question]);
  const columns = useMemo(() => runColumns(doc), [doc]);
  const source = useMemo(
    (): Source<RunRow> => ({
      key,
      far: true,
      load: async (after, limit, signal, skip) => {
        const page = await get<RunsPage>(`experiments/${id}/runs`, { ...question, after, limit, skip: skip === 0 ? null : skip }, signal);
        setLoaded(page.ready === false ? (page.loaded ?? 0) : null);
        return {
          rows: page.rows.map((r) => ({
            run: r.run,
            cells: Object.fromEntries(page.columns.map((c, k) => [c.name, r.values[k] ?? null])),
          })),
          next: page.next,
          matched: page.matched,
          total: page.total,
        };
      },
    }),
    [key],
  );
  const setFilters = (list: Filter[]) => change({ filter: list.map(filterText) });
  const picked = [...selection].join(",");
  return (
    <DataTable
      label="Runs"
      name={"runs." + doc.experiment.name}
      what="runs"
      columns={columns}
      source={source}
      rowKey={(r) => r.run}
      sort={sort}
      onSort={(next) => change({ sort: next === "run" ? null : next })}
      onOpen={(r) => go(link("runs", r.run))}
      selection={selection}
      onSelect={setSelection}
      rowTone={(r) => (/^(failed|diverged)/.test(String(r.cells["state"] ?? "")) ? "row-bad" : undefined)}
      toolbar={
        <>
          <FilterBar columns={[{ name: "run" }, ...doc.columns]} filters={filters} onChange={setFilters} />
          <StateFilters doc={doc} filters={filters} onChange={setFilters} />
          {selection.size > 0 && (
            <span class="selected-actions">
              <a
                class="button small"
                href={link("experiments", id, "curves", { filter: [`run~in~${picked}`], each: 1 })}
              >
                Curves of {integer(selection.size)}
              </a>
              {selection.size > 1 && (
                <a
                  class="button small"
                  href={link("experiments", id, "compare", { filter: [`run~in~${picked}`] })}
                >
                  Compare
                </a>
              )}
              <button type="button" class="button plain small" onClick={() => setSelection(new Set())}>
                Unselect
              </button>
            </span>
          )}
          {loaded !== null && (
            <span class="muted" role="status">
              reading runs: {share(loaded, 0)}
            </span>
          )}
        </>
      }
    />
  );
}
