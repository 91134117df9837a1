// SPDX-License-Identifier: Apache-2.0
// What there is to ask: views and tables with their columns, to read and to put into a query.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { Card, ErrorNote } from "../components/basics";
import { useData } from "../lib/data";
import { quoted } from "../lib/sql_text";
import type { SchemaDocument, SchemaTable } from "../lib/types";

export function Schema(props: { onInsert: (word: string) => void; onChoose: (sql: string) => void }): VNode {
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
