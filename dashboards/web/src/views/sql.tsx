// SPDX-License-Identifier: Apache-2.0
// A console for reading: a query, what there is to ask beside it, the answer as table or picture.
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Badge, Card, Choice, CopyButton, Empty, ErrorNote, Popover, Select, Spinner } from "../components/basics";
import { Histogram } from "../components/bars";
import { Chart } from "../components/chart";
import { Column, DataTable, useRows } from "../components/table";
import { ApiError, asError, post, useData } from "../lib/api";
import { csv, download, markdown } from "../lib/export";
import { clock, cut, duration, integer, number } from "../lib/format";
import { useRemembered, useTitle } from "../lib/hooks";
import { useKeys } from "../lib/keyboard";
import { changeQuery, usePlace } from "../lib/router";
import { ChartChoice, chooseChart, insertWord, kindOf, quoted, remembering, seriesOf } from "../lib/sql_text";
import type { Cell, QueryAnswer, SchemaDocument, SchemaTable } from "../lib/types";

const FIRST = `-- how right each step was, by task and level
SELECT step, method, task, level, sum(n) AS n, avg(accuracy) AS accuracy
FROM accuracy
GROUP BY step, method, task, level
ORDER BY task, level
LIMIT 200`;

const EXAMPLES: readonly { title: string; sql: string }[] = [
  { title: "How right each step was", sql: FIRST },
  {
    title: "Why attempts failed",
    sql: `SELECT outcome, text, count(*) AS attempts, count(DISTINCT job) AS jobs
FROM attempt
WHERE outcome NOT IN ('DONE', 'RUNNING')
GROUP BY outcome, text
ORDER BY attempts DESC
LIMIT 100`,
  },
  {
    title: "The slowest kinds of jobs",
    sql: `SELECT j.kind, j.step, count(*) AS attempts, avg(a.wall_ms) / 1000.0 AS mean_s, max(a.wall_ms) / 1000.0 AS most_s
FROM attempt a JOIN job j ON j.id = a.job
WHERE a.outcome = 'DONE'
GROUP BY j.kind, j.step
ORDER BY mean_s DESC`,
  },
  {
    title: "Jobs by state",
    sql: `SELECT step, state, count(*) AS jobs FROM job GROUP BY step, state ORDER BY step, jobs DESC`,
  },
];

export function SqlView(): VNode {
  useTitle("SQL");
  const place = usePlace();
  const [draft, setDraft] = useRemembered("sql.draft", FIRST);
  const [text, setText] = useState(() => place.query.get("q") ?? draft);
  const [rows, setRows] = useRemembered<string>("sql.rows", "1000");
  const [seconds, setSeconds] = useRemembered<string>("sql.seconds", "5");
  const [history, setHistory] = useRemembered<string[]>("sql.history", []);
  const [answer, setAnswer] = useState<QueryAnswer | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [since, setSince] = useState<number | null>(null);
  const abort = useRef<AbortController | null>(null);
  const editor = useRef<HTMLTextAreaElement>(null);
  useEffect(() => () => abort.current?.abort(), []);
  useKeys([
    { keys: "i", text: "Write the query (Ctrl-Enter runs it)", section: "SQL", run: () => editor.current?.focus() },
  ]);

  const run = (sql: string) => {
    if (sql.trim() === "") return;
    abort.current?.abort();
    const mine = new AbortController();
    abort.current = mine;
    setSince(Date.now());
    setError(null);
    setHistory(remembering(history, sql));
    if (sql.length < 2000) changeQuery({ q: sql });
    post<QueryAnswer>("query", { sql, rows: Number(rows), time_ms: Number(seconds) * 1000 }, mine.signal).then(
      (a) => {
        if (abort.current !== mine) return;
        setSince(null);
        setAnswer(a);
      },
      (wrong: unknown) => {
        if (abort.current !== mine) return;
        setSince(null);
        if (!mine.signal.aborted) setError(asError(wrong));
      },
    );
  };
  const change = (value: string) => {
    setText(value);
    setDraft(value.slice(0, 20000));
  };
  const insert = (word: string) => {
    const field = editor.current;
    if (field === null) return;
    const made = insertWord(text, field.selectionStart, field.selectionEnd, word);
    change(made.text);
    requestAnimationFrame(() => {
      field.focus();
      field.setSelectionRange(made.at, made.at);
    });
  };
  const selected = (): string => {
    const field = editor.current;
    const part = field === null ? "" : text.slice(field.selectionStart, field.selectionEnd);
    return part.trim() === "" ? text : part;
  };
  const choose = (sql: string) => {
    change(sql);
    editor.current?.focus();
  };
  return (
    <div class="stack">
      <h1 class="off-screen">SQL</h1>
      <div class="sql-columns">
        <div class="stack sql-main">
          <Card label="Query">
            <textarea
              ref={editor}
              class="sql-text"
              aria-label="Query"
              data-filter
              spellcheck={false}
              autocomplete="off"
              rows={Math.min(22, Math.max(7, text.split("\n").length + 1))}
              value={text}
              onInput={(event) => change(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
                  event.preventDefault();
                  run(selected());
                }
              }}
            />
            <div class="sql-bar">
              <button type="button" class="button strong" onClick={() => run(selected())}>
                Run
              </button>
              {since === null ? (
                <span class="muted sql-hint">Ctrl-Enter; a selection runs alone</span>
              ) : (
                <span class="row">
                  <Spinner />
                  <button
                    type="button"
                    class="button small"
                    onClick={() => {
                      abort.current?.abort();
                      abort.current = null;
                      setSince(null);
                    }}
                  >
                    Stop
                  </button>
                </span>
              )}
              <span class="push row">
                <Select label="Rows" options={["100", "1000", "10000", "100000"]} value={rows} onChange={setRows} />
                <Select label="Seconds" options={["5", "15", "30"]} value={seconds} onChange={setSeconds} />
                <Popover label="Examples">
                  <ul class="sql-list">
                    {EXAMPLES.map((e) => (
                      <li key={e.title}>
                        <button type="button" class="sql-entry" onClick={() => choose(e.sql)}>
                          {e.title}
                        </button>
                      </li>
                    ))}
                  </ul>
                </Popover>
                <Popover label="History">
                  <History list={history} onChoose={choose} onClear={() => setHistory([])} />
                </Popover>
              </span>
            </div>
          </Card>
          {error !== null && <ErrorNote error={error} retry={() => run(selected())} />}
          {answer === null ? (
            error === null && (
              <Empty title="No answer yet">
                The store is only read here; nothing that you write can change it. Queries are cut at their time and
                rows.
              </Empty>
            )
          ) : (
            <AnswerCard answer={answer} stale={since !== null} />
          )}
        </div>
        <Schema onInsert={insert} onChoose={choose} />
      </div>
    </div>
  );
}

function History(props: { list: readonly string[]; onChoose: (sql: string) => void; onClear: () => void }): VNode {
  if (props.list.length === 0) return <p class="muted">Nothing was run yet.</p>;
  return (
    <>
      <ul class="sql-list">
        {props.list.map((sql) => (
          <li key={sql}>
            <button type="button" class="sql-entry mono" title={sql.slice(0, 2000)} onClick={() => props.onChoose(sql)}>
              {cut(sql.replace(/\s+/g, " "), 90)}
            </button>
          </li>
        ))}
      </ul>
      <button type="button" class="button plain small" onClick={props.onClear}>
        Forget all
      </button>
    </>
  );
}

function AnswerCard(props: { answer: QueryAnswer; stale: boolean }): VNode {
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

function Schema(props: { onInsert: (word: string) => void; onChoose: (sql: string) => void }): VNode {
  const schema = useData<SchemaDocument>("schema", undefined, { live: false });
  const [find, setFind] = useState("");
  const word = find.trim().toLowerCase();
  const matches = (t: SchemaTable) =>
    word === "" || t.name.toLowerCase().includes(word) || t.columns.some((c) => c.name.toLowerCase().includes(word));
  const part = (title: string, list: readonly SchemaTable[] | undefined, open: boolean) => {
    const found = (list ?? []).filter(matches);
    if (found.length === 0) return null;
    return (
      <section class="schema-part" aria-label={title}>
        <h3>{title}</h3>
        {found.map((t) => (
          <TableEntry
            key={t.name}
            table={t}
            word={word}
            open={open && word !== "" && found.length < 6}
            onInsert={props.onInsert}
            onChoose={props.onChoose}
          />
        ))}
      </section>
    );
  };
  return (
    <Card
      class="schema"
      title="What there is to ask"
      actions={
        <input
          type="search"
          class="find"
          aria-label="Find a table or column"
          placeholder="Find"
          value={find}
          onInput={(event) => setFind(event.currentTarget.value)}
        />
      }
    >
      <div class="schema-body" tabIndex={0} role="region" aria-label="Tables and columns">
        {schema.error !== null && <ErrorNote error={schema.error} retry={schema.retry} />}
        {schema.data !== null && (
          <>
            {part("Views: stable, made for reading", schema.data.views, true)}
            {part("Tables below them", schema.data.tables, true)}
          </>
        )}
      </div>
    </Card>
  );
}

function TableEntry(props: {
  table: SchemaTable;
  word: string;
  open: boolean;
  onInsert: (word: string) => void;
  onChoose: (sql: string) => void;
}): VNode {
  const { table } = props;
  const [open, setOpen] = useState<boolean | null>(null);
  const isOpen = open ?? props.open;
  return (
    <div class="schema-table">
      <div class="schema-line">
        <button type="button" class="schema-name" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          <span class="schema-mark" aria-hidden="true">
            {isOpen ? "▾" : "▸"}
          </span>
          <code>{table.name}</code>
        </button>
        <button
          type="button"
          class="button plain small schema-look"
          title={`The first rows of ${table.name}`}
          onClick={() => props.onChoose(`SELECT *\nFROM ${quoted(table.name)}\nLIMIT 100`)}
        >
          look
        </button>
      </div>
      {table.about !== null && table.about !== undefined && table.about !== "" && (
        <p class={isOpen ? "schema-about" : "schema-about clip"}>{table.about}</p>
      )}
      {isOpen && (
        <ul class="schema-columns">
          {table.columns.map((c) => (
            <li key={c.name} class={props.word !== "" && c.name.toLowerCase().includes(props.word) ? "found" : ""}>
              <button
                type="button"
                class="schema-column"
                title={`Put ${c.name} into the query`}
                onClick={() => props.onInsert(quoted(c.name))}
              >
                <code>{c.name}</code>
              </button>
              <span class="schema-type">{c.type ?? ""}</span>
              {c.about !== null && c.about !== undefined && c.about !== "as above" && (
                <span class="schema-about">{c.about}</span>
              )}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
