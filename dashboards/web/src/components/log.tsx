// SPDX-License-Identifier: Apache-2.0
// A log as text: lines that speak of errors stand out; the end is shown first.
import type { VNode } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";

const BAD =
  /\b(error|fatal|fail(ed|ure)?|panic|abort(ed)?|assert(ion)?|killed|out of memory|segmentation|nan|diverged|exception)\b/i;
const LINES_MAX = 4000;

export function Log(props: { text: string; label: string; find?: string }): VNode {
  const ref = useRef<HTMLPreElement>(null);
  const word = props.find?.trim().toLowerCase() ?? "";
  const { lines, left } = useMemo(() => {
    const all = props.text.replace(/\n$/, "").split("\n");
    const found = word === "" ? all : all.filter((l) => l.toLowerCase().includes(word));
    return { lines: found.slice(-LINES_MAX), left: Math.max(0, found.length - LINES_MAX) };
  }, [props.text, word]);
  useEffect(() => {
    const pre = ref.current;
    if (pre !== null) pre.scrollTop = pre.scrollHeight;
  }, [props.text, word]);
  return (
    <pre class="log" ref={ref} tabIndex={0} role="region" aria-label={props.label}>
      {left > 0 && (
        <span class="muted">
          {left} earlier lines are not shown{"\n"}
        </span>
      )}
      {lines.map((line, k) => (
        <span key={k} class={BAD.test(line.slice(0, 2000)) ? "log-bad" : undefined}>
          {line.slice(0, 20000) + "\n"}
        </span>
      ))}
      {lines.length === 0 && <span class="muted">No such line</span>}
    </pre>
  );
}
