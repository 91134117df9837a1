// SPDX-License-Identifier: Apache-2.0
// Small parts: badges, states of loading, buttons, tabs, dialogs, figures of a value.
import type { ComponentChildren, JSX, VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiError } from "../lib/api";
import type { Data } from "../lib/data";
import { stateTone } from "../lib/colours";
import { copyText, csv, download, fileName } from "../lib/export";
import { clock, fullTime, relative } from "../lib/format";
import { useElementId, useNow } from "../lib/hooks";
import type { Cell } from "../lib/types";

export type Tone = ReturnType<typeof stateTone> | "accent";

export function Badge(props: { tone?: Tone; title?: string; children: ComponentChildren }): VNode {
  return (
    <span class={"badge tone-" + (props.tone ?? "plain")} title={props.title}>
      {props.children}
    </span>
  );
}

/** A state of a job, run or experiment: a dot and its word. */
export function State(props: { state: string | null | undefined; title?: string }): VNode {
  const state =
    props.state === null || props.state === undefined
      ? "unknown"
      : props.state === props.state.toUpperCase()
        ? props.state.toLowerCase()
        : props.state;
  return (
    <span class={"state tone-" + stateTone(state)} title={props.title}>
      <i class="dot" aria-hidden="true" />
      {state}
    </span>
  );
}

export function Spinner(): VNode {
  return <span class="spinner" role="status" aria-label="Loading" />;
}

export function Loading(props: { lines?: number; label?: string }): VNode {
  return (
    <div class="loading" role="status" aria-label={props.label ?? "Loading"}>
      {Array.from({ length: props.lines ?? 3 }, (_, k) => (
        <span key={k} class={"bone bone-" + (k % 3)} aria-hidden="true" />
      ))}
    </div>
  );
}

export function Empty(props: { title: string; children?: ComponentChildren }): VNode {
  return (
    <div class="empty">
      <p class="empty-title">{props.title}</p>
      {props.children !== undefined && <div class="empty-text">{props.children}</div>}
    </div>
  );
}

export function ErrorNote(props: { error: ApiError | { message: string }; retry?: () => void }): VNode {
  return (
    <div class="error-note" role="alert">
      <span class="error-text">{props.error.message}</span>
      {props.retry !== undefined && (
        <button type="button" class="button small" onClick={props.retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** The three states of an answer, in one place of the same size: HEIGHT (CSS px) keeps the layout
 * still. Data that answer an older question are dimmed; an error over old data is a line above. */
export function Answer<T>(props: {
  of: Data<T>;
  height?: number;
  lines?: number;
  children: (data: T) => ComponentChildren;
}): VNode {
  const { of } = props;
  const minHeight = props.height === undefined ? undefined : props.height + "px";
  return (
    <div class={"answer" + (of.stale ? " stale" : "")} style={{ minHeight }} aria-busy={of.loading}>
      {of.error !== null && (of.data === null || of.error.code !== "offline") && (
        <ErrorNote error={of.error} retry={of.retry} />
      )}
      {of.data !== null ? props.children(of.data) : of.error === null && <Loading lines={props.lines ?? 3} />}
    </div>
  );
}

export function CopyButton(props: {
  text: string | (() => string | Promise<string>);
  label?: string;
  title?: string;
}): VNode {
  const [said, setSaid] = useState<string | null>(null);
  const copy = async () => {
    let done = false;
    try {
      done = await copyText(typeof props.text === "string" ? props.text : await props.text());
    } catch {
      done = false;
    }
    setSaid(done ? "Copied" : "Not copied");
    setTimeout(() => setSaid(null), 1500);
  };
  return (
    <button type="button" class="button small copy" title={props.title} onClick={() => void copy()}>
      <span class={said === null ? "" : "hidden-keep"}>{props.label ?? "Copy"}</span>
      <span class="copy-said" aria-live="polite">
        {said}
      </span>
    </button>
  );
}

/** What TABLE gives as NAME.csv. */
export function CsvButton(props: {
  name: string;
  table: () => { columns: readonly string[]; rows: readonly (readonly Cell[])[] };
}): VNode {
  const save = () => {
    const { columns, rows } = props.table();
    download(fileName(props.name) + ".csv", csv(columns, rows));
  };
  return (
    <button type="button" class="button small" onClick={save}>
      CSV
    </button>
  );
}

/** "3 min ago", with the full time on hover. */
export function Ago(props: { at: number | null | undefined }): VNode {
  const now = useNow(props.at !== null && props.at !== undefined && Date.now() - props.at < 120000 ? 1000 : 15000);
  return <time title={fullTime(props.at)}>{relative(props.at, now)}</time>;
}

export function Clock(props: { at: number | null | undefined }): VNode {
  return <time title={fullTime(props.at)}>{clock(props.at, Date.now())}</time>;
}

export interface TabItem {
  name: string;
  title: string;
  href: string;
  count?: ComponentChildren;
  hidden?: boolean;
}

/** Tabs that are places: links, so that they open in a window of their own. */
export function Tabs(props: { label: string; items: TabItem[]; current: string }): VNode {
  const bar = useRef<HTMLElement>(null);
  useEffect(() => {
    bar.current?.querySelector<HTMLElement>("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [props.current]);
  return (
    <nav class="tabs" aria-label={props.label} ref={bar}>
      {props.items
        .filter((item) => item.hidden !== true)
        .map((item) => (
          <a
            key={item.name}
            href={item.href}
            class="tab"
            aria-current={item.name === props.current ? "page" : undefined}
          >
            {item.title}
            {item.count !== undefined && item.count !== null && <span class="tab-count">{item.count}</span>}
          </a>
        ))}
    </nav>
  );
}

/** One of a few choices, as a row of buttons. */
export function Choice<T extends string>(props: {
  label: string;
  options: readonly (T | { value: T; title: string })[];
  value: T;
  onChange: (value: T) => void;
}): VNode {
  return (
    <div class="choice" role="group" aria-label={props.label}>
      {props.options.map((option) => {
        const value = typeof option === "string" ? option : option.value;
        return (
          <button
            key={value}
            type="button"
            class="choice-button"
            aria-pressed={value === props.value}
            onClick={() => props.onChange(value)}
          >
            {typeof option === "string" ? option : option.title}
          </button>
        );
      })}
    </div>
  );
}

export function Select<T extends string>(props: {
  label: string;
  options: readonly (T | { value: T; title: string; group?: string })[];
  value: T;
  onChange: (value: T) => void;
  hideLabel?: boolean;
}): VNode {
  const id = useElementId("select");
  return (
    <span class="field">
      <label for={id} class={props.hideLabel === true ? "off-screen" : "field-label"}>
        {props.label}
      </label>
      <select id={id} value={props.value} onChange={(event) => props.onChange(event.currentTarget.value as T)}>
        {props.options.map((option) => {
          const value = typeof option === "string" ? option : option.value;
          return (
            <option key={value} value={value}>
              {typeof option === "string" ? option : option.title}
            </option>
          );
        })}
      </select>
    </span>
  );
}

export function Dialog(props: {
  title: string;
  open: boolean;
  onClose: () => void;
  wide?: boolean;
  children: ComponentChildren;
}): VNode | null {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useElementId("dialog");
  useEffect(() => {
    const dialog = ref.current;
    if (dialog === null) return;
    if (props.open && !dialog.open) dialog.showModal();
    if (!props.open && dialog.open) dialog.close();
  }, [props.open]);
  if (!props.open) return null;
  return (
    <dialog
      ref={ref}
      class={"dialog" + (props.wide === true ? " wide" : "")}
      aria-labelledby={id}
      onClose={props.onClose}
      onClick={(event) => {
        if (event.target === ref.current) props.onClose();
      }}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id={id}>{props.title}</h2>
          <button type="button" class="button plain" aria-label="Close" onClick={props.onClose}>
            ✕
          </button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}

/** A button that opens a small sheet below it; Escape and a click elsewhere close it. */
export function Popover(props: {
  label: ComponentChildren;
  title?: string;
  children: ComponentChildren;
  align?: "left" | "right";
}): VNode {
  const [open, setOpen] = useState(false);
  const ref = useRef<HTMLSpanElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    const click = (event: MouseEvent) => {
      if (event.target instanceof Node && ref.current?.contains(event.target) !== true) setOpen(false);
    };
    const key = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      setOpen(false);
      button.current?.focus();
    };
    document.addEventListener("mousedown", click);
    const inside = ref.current;
    inside?.addEventListener("keydown", key);
    return () => {
      document.removeEventListener("mousedown", click);
      inside?.removeEventListener("keydown", key);
    };
  }, [open]);
  return (
    <span class="popover" ref={ref}>
      <button
        type="button"
        class="button small"
        ref={button}
        title={props.title}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {props.label}
      </button>
      {open && <div class={"popover-sheet " + (props.align ?? "right")}>{props.children}</div>}
    </span>
  );
}

/** A figure with its name: "Jobs 1 234". */
export function Stat(props: {
  name: string;
  title?: string;
  children: ComponentChildren;
  note?: ComponentChildren;
}): VNode {
  return (
    <div class="stat" title={props.title}>
      <span class="stat-name">{props.name}</span>
      <span class="stat-value">{props.children}</span>
      {props.note !== undefined && <span class="stat-note">{props.note}</span>}
    </div>
  );
}

/** A box with a heading; a region of the page unless PLAIN (one of many alike). */
export function Card(props: {
  title?: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
  class?: string;
  label?: string;
  plain?: boolean;
}): VNode {
  const id = useElementId("card");
  return (
    <section
      class={"card " + (props.class ?? "")}
      aria-labelledby={props.title === undefined || props.plain === true ? undefined : id}
      aria-label={props.title === undefined ? props.label : undefined}
    >
      {(props.title !== undefined || props.actions !== undefined) && (
        <header class="card-head">
          {props.title !== undefined && <h2 id={id}>{props.title}</h2>}
          {props.actions !== undefined && <div class="card-actions">{props.actions}</div>}
        </header>
      )}
      {props.children}
    </section>
  );
}

/** Text of any length and any content, cut to LINES lines and opened by a button. */
export function LongText(props: { text: string; lines?: number; mono?: boolean }): VNode {
  const [open, setOpen] = useState(false);
  const lines = props.lines ?? 6;
  const long = props.text.length > lines * 90 || props.text.split("\n", lines + 2).length > lines + 1;
  return (
    <div class={"long-text" + (props.mono === true ? " mono" : "")}>
      <div class={open || !long ? "long-text-body" : "long-text-body closed clamp-" + Math.min(12, lines)}>
        {props.text}
      </div>
      {long && (
        <button type="button" class="button plain small" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "Less" : "All of it"}
        </button>
      )}
    </div>
  );
}

/** Figures by name. */
export function Facts(props: { items: (readonly [string, ComponentChildren] | null | false)[] }): VNode {
  return (
    <dl class="facts">
      {props.items.map((item) =>
        item === null || item === false ? null : (
          <div key={item[0]} class="fact">
            <dt>{item[0]}</dt>
            <dd>{item[1]}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

export type { JSX };
