// SPDX-License-Identifier: Apache-2.0
// The answer to a query, as table or picture.
import type { VNode } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Badge, Card, Choice, CopyButton, Empty, Select } from "../components/basics";
import { Histogram } from "../components/bars";
import { Chart } from "../components/chart";
import { DataTable } from "../components/table";
import type { Column } from "../components/table_columns";
import { useRows } from "../components/table_rows";
import { csv, download, markdown } from "../lib/export";
import { clock, cut, duration, integer, number } from "../lib/format";
import { useRemembered } from "../lib/hooks";
import { ChartChoice, chooseChart, kindOf, seriesOf } from "../lib/sql_text";
import type { Cell, QueryAnswer } from "../lib/types";

export function AnswerCard(props: { answer: QueryAnswer; stale: boolean }): VNode {
  const { answer } = props;
  const [view, setView] = useRemembered<"table" | "chart">("sql.view", "table");
  const first = useMemo(() => chooseChart(answer), [answer]);
  return (
    <Card
      class={props.stale ? "stale" : ""}
      title={`${integer(answer.rows.length)} ${answer.rows.length === 1 ? "row" : "rows"} in ${duration(answer.ms / 1000)}`}
      actions={
        <>
          {answer.truncated && (
            <Badge tone="warn" title={answer.why ?? undefined}>
              {answer.why !== null && answer.why !== undefined ? cut(answer.why, 60) : "there are more"}
            </Badge>
          )}
          <Choice
            label="Show as"
            options={[
              { value: "table", title: "Table" },
              { value: "chart", title: "Chart" },
            ]}
            value={view}
            onChange={setView}
          />
          <CopyButton label="Copy CSV" text={() => csv(answer.columns, answer.rows)} />
          <CopyButton label="Copy Markdown" text={() => markdown(answer.columns, answer.rows)} />
          <button
            type="button"
            class="button small"
            onClick={() => download("query.csv", csv(answer.columns, answer.rows))}
          >
            Download
          </button>
        </>
      }
    >
      {view === "table" ? (
        <Rows answer={answer} />
      ) : first === null ? (
        <Empty title="Nothing to draw">A chart needs a column of numbers.</Empty>
      ) : (
        <Picture answer={answer} first={first} />
      )}
    </Card>
  );
}

type Row = { k: number; cells: Cell[] };

function Rows(props: { answer: QueryAnswer }): VNode {
  const { answer } = props;
  const [sort, setSort] = useState("");
  useEffect(() => setSort(""), [answer]);
  const columns = useMemo(
    () =>
      answer.columns.map((name, k): Column<Row> => {
        const kind = kindOf(answer, k);
        const time =
          kind === "number" &&
          /_ms$/.test(name) &&
          answer.rows.some((r) => typeof r[k] === "number" && (r[k] as number) > 1e12);
        return {
          name: String(k),
          title: name,
          type: kind === "number" ? "number" : "text",
          width:
            kind === "number"
              ? time
                ? 160
                : 110
              : Math.min(
                  340,
                  Math.max(
                    110,
                    9 *
                      Math.max(
                        name.length,
                        ...answer.rows.slice(0, 50).map((r) => Math.min(40, String(r[k] ?? "").length)),
                      ),
                  ),
                ),
          sort: true,
          value: (row) => row.cells[k] ?? null,
          render: (row) => shown(row.cells[k] ?? null, time),
        };
      }),
    [answer],
  );
  const rows = useMemo(() => answer.rows.map((cells, k): Row => ({ k, cells })), [answer]);
  const source = useRows(rows, columns, sort);
  return (
    <DataTable
      label="Answer"
      columns={columns}
      source={source}
      rowKey={(r) => r.k}
      sort={sort}
      onSort={setSort}
      height={560}
      chooser={false}
      empty={<Empty title="No rows" />}
    />
  );
}

function shown(value: Cell, time: boolean): VNode | string {
  if (value === null) return <span class="muted">NULL</span>;
  if (typeof value === "number")
    return time ? (
      <span title={String(value)}>{clock(value, Date.now())}</span>
    ) : (
      <span title={String(value)}>
        {Number.isInteger(value) && Math.abs(value) < 100000 ? String(value) : number(value, 6)}
      </span>
    );
  const text = String(value);
  return <span title={text.slice(0, 3000)}>{text.slice(0, 500)}</span>;
}

function Picture(props: { answer: QueryAnswer; first: ChartChoice }): VNode {
  const { answer } = props;
  const [choice, setChoice] = useState(props.first);
  const [form, setForm] = useState<"line" | "points">("line");
  useEffect(() => setChoice(props.first), [props.first]);
  const options = answer.columns.map((name, k) => ({ value: String(k), title: name }));
  const numbers = options.filter((_, k) => kindOf(answer, k) === "number");
  const textX = kindOf(answer, choice.x) === "text";
  const series = useMemo(
    () => (textX ? [] : seriesOf(answer, choice).map((s) => ({ ...s, points: form === "points" }))),
    [answer, choice, form, textX],
  );
  const bars = useMemo(
    () =>
      textX
        ? answer.rows.slice(0, 200).map((r) => ({
            x: cut(String(r[choice.x] ?? "none"), 40),
            n: typeof r[choice.y] === "number" ? (r[choice.y] as number) : 0,
          }))
        : [],
    [answer, choice, textX],
  );
  const x = answer.columns[choice.x] ?? "";
  const y = answer.columns[choice.y] ?? "";
  return (
    <div class="card-body stack">
      <div class="row">
        <Select
          label="x"
          options={options}
          value={String(choice.x)}
          onChange={(v) => setChoice({ ...choice, x: Number(v) })}
        />
        <Select
          label="y"
          options={numbers}
          value={String(choice.y)}
          onChange={(v) => setChoice({ ...choice, y: Number(v) })}
        />
        {!textX && (
          <>
            <Select
              label="by"
              options={[{ value: "", title: "nothing" }, ...options]}
              value={choice.by === null ? "" : String(choice.by)}
              onChange={(v) => setChoice({ ...choice, by: v === "" ? null : Number(v) })}
            />
            <Choice
              label="Form"
              options={[
                { value: "line", title: "Lines" },
                { value: "points", title: "Points" },
              ]}
              value={form}
              onChange={setForm}
            />
          </>
        )}
      </div>
      {textX ? (
        <Histogram label={`${y} by ${x}`} bins={bars} xLabel={x} yLabel={y} height={320} />
      ) : (
        <Chart
          label={`${y} over ${x}`}
          series={series}
          xLabel={x}
          yLabel={y}
          time={kindOf(answer, choice.x) === "time"}
          height={380}
        />
      )}
    </div>
  );
}
