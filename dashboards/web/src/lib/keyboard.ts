// SPDX-License-Identifier: Apache-2.0
// Keys. A key or a sequence ("g o") belongs to a section of the help overlay; keys typed into
// fields are left alone, except Escape.
import { useEffect, useRef } from "preact/hooks";

export interface Binding {
  keys: string;
  text: string;
  section: string;
  run: (event: KeyboardEvent) => void;
}

const bindings: Binding[] = [];
let prefix = "";
let prefixAt = 0;

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

function press(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target)) {
    if (event.key === "Escape" && event.target instanceof HTMLElement) event.target.blur();
    return;
  }
  if (document.querySelector("dialog[open]") !== null) return;
  const now = Date.now();
  const sequence = prefix !== "" && now - prefixAt < 1500 ? prefix + " " + event.key : event.key;
  for (let k = bindings.length - 1; k >= 0; k--) {
    const binding = bindings[k];
    if (binding !== undefined && binding.keys === sequence) {
      event.preventDefault();
      prefix = "";
      binding.run(event);
      return;
    }
  }
  prefix = bindings.some((b) => b.keys.startsWith(event.key + " ")) ? event.key : "";
  prefixAt = now;
}

document.addEventListener("keydown", press);

/** Keys while a component is shown. The newest binding of a key wins. */
export function useKeys(list: Binding[]): void {
  const newest = useRef(list);
  newest.current = list;
  const names = list.map((b) => b.keys).join("|");
  useEffect(() => {
    const mine = newest.current.map((b, k): Binding => ({ ...b, run: (event) => newest.current[k]?.run(event) }));
    bindings.push(...mine);
    return () => {
      for (const one of mine) bindings.splice(bindings.indexOf(one), 1);
    };
  }, [names]);
}

/** For the help: the keys that work now, by section. */
export function keysNow(): Map<string, { keys: string; text: string }[]> {
  const sections = new Map<string, { keys: string; text: string }[]>();
  const seen = new Set<string>();
  for (const b of [...bindings].reverse()) {
    if (seen.has(b.keys)) continue;
    seen.add(b.keys);
    const list = sections.get(b.section) ?? [];
    list.unshift({ keys: b.keys, text: b.text });
    sections.set(b.section, list);
  }
  return sections;
}

/** The first filter field of the view, for "/". */
export function focusFilter(): void {
  const field = document.querySelector<HTMLElement>("main [data-filter]");
  field?.focus();
  if (field instanceof HTMLInputElement) field.select();
}
