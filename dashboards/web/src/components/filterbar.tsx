// SPDX-License-Identifier: Apache-2.0
// The filters of a table: a field and chips. "/" comes here.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { Filter, filterShown, filterText, readFilter } from "../lib/filters";
import { useElementId } from "../lib/hooks";

export interface FilterBarProps {
  /** what can be filtered by; values are suggested */
  columns: readonly { name: string; values?: readonly { value: unknown }[] }[];
  filters: readonly Filter[];
  onChange: (filters: Filter[]) => void;
  placeholder?: string;
}

export function FilterBar(props: FilterBarProps): VNode {
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState<string | null>(null);
  const id = useElementId("filter");
  const names = props.columns.map((c) => c.name);
  const half = /^\s*([^\s=<>!~]+)\s*(=|!=)?/.exec(text);
  const column = props.columns.find((c) => c.name === half?.[1]);
  const suggestions =
    column?.values !== undefined && column.values.length > 0
      ? column.values.map((v) => `${column.name}${half?.[2] ?? "="}${String(v.value)}`)
      : names.map((n) => n);
  const add = () => {
    if (text.trim() === "") return;
    const filter = readFilter(text, names);
    if ("wrong" in filter) {
      setWrong(filter.wrong);
      return;
    }
    setWrong(null);
    setText("");
    const known = props.filters.some((f) => filterText(f) === filterText(filter));
    props.onChange(known ? [...props.filters] : [...props.filters, filter]);
  };
  return (
    <div class="filter-bar">
      <input
        type="text"
        data-filter
        class="filter-field"
        list={id}
        aria-label="Filter"
        aria-invalid={wrong !== null}
        aria-describedby={wrong === null ? undefined : id + "-wrong"}
        placeholder={props.placeholder ?? "Filter: accuracy > 0.5"}
        value={text}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setWrong(null);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") add();
          else if (event.key === "Backspace" && text === "" && props.filters.length > 0)
            props.onChange(props.filters.slice(0, -1));
        }}
        onBlur={() => setWrong(null)}
      />
      <datalist id={id}>
        {suggestions.slice(0, 60).map((s) => (
          <option key={s} value={s} />
        ))}
      </datalist>
      {props.filters.map((f) => (
        <span key={filterText(f)} class="chip">
          <span class="chip-text" title={filterShown(f)}>
            {filterShown(f)}
          </span>
          <button
            type="button"
            class="chip-remove"
            aria-label={"Remove filter " + filterShown(f)}
            onClick={() => props.onChange(props.filters.filter((g) => g !== f))}
          >
            ✕
          </button>
        </span>
      ))}
      {wrong !== null && (
        <span class="field-wrong" id={id + "-wrong"} role="alert">
          {wrong}
        </span>
      )}
    </div>
  );
}
