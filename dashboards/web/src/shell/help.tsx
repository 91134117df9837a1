// SPDX-License-Identifier: Apache-2.0
import type { VNode } from "preact";
import { Dialog } from "../components/basics";
import { keysNow } from "../lib/keyboard";

const TABLES = [
  { keys: "↑ ↓", text: "Move (or k, j)" },
  { keys: "Enter", text: "Open the row" },
  { keys: "Space", text: "Select the row" },
  { keys: "Home End", text: "First and last row" },
];

export function Help(props: { open: boolean; onClose: () => void }): VNode | null {
  if (!props.open) return null;
  const sections = [...keysNow(), ["In tables", TABLES] as const];
  return (
    <Dialog title="Keys" open={props.open} onClose={props.onClose} wide>
      <div class="help-columns">
        {sections.map(([section, list]) => (
          <section key={section}>
            <h3>{section}</h3>
            <dl class="keys">
              {list.map((b) => (
                <div key={b.keys}>
                  <dt>
                    {b.keys.split(" ").map((k) => (
                      <kbd key={k}>{k}</kbd>
                    ))}
                  </dt>
                  <dd>{b.text}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
