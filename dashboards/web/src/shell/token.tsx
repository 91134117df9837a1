// SPDX-License-Identifier: Apache-2.0
// Asks for the token when the server wants one.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Dialog } from "../components/basics";
import { onRefused, setToken } from "../lib/api";
import { reconnect } from "../lib/live";

export function TokenDialog(): VNode | null {
  const [open, setOpen] = useState(false);
  const [text, setText] = useState("");
  useEffect(() => onRefused(() => setOpen(true)), []);
  return (
    <Dialog title="This dashboard wants a token" open={open} onClose={() => setOpen(false)}>
      <form
        class="token-form"
        onSubmit={(event) => {
          event.preventDefault();
          setToken(text.trim());
          setOpen(false);
          reconnect();
        }}
      >
        <p>
          It lies in the file that the server was given as <code>--token-file</code>. It is kept in this tab only.
        </p>
        <label>
          Token
          <input
            type="password"
            autocomplete="off"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="button strong">
          Open
        </button>
      </form>
    </Dialog>
  );
}
