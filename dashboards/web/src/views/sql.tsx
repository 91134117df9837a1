// SPDX-License-Identifier: Apache-2.0
// A console for reading: a query, what there is to ask beside it, the answer below.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Card, Empty, ErrorNote, Popover, Select, Spinner } from "../components/basics";
import { ApiError, asError, post } from "../lib/api";
import { cut } from "../lib/format";
import { useRemembered, useTitle } from "../lib/hooks";
import { useKeys } from "../lib/keyboard";
import { changeQuery, usePlace } from "../lib/router";
import { insertWord, remembering } from "../lib/sql_text";
import type { QueryAnswer } from "../lib/types";
import { AnswerCard } from "./sql_answer";
import { Schema } from "./sql_schema";

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
