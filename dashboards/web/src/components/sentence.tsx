// SPDX-License-Identifier: Apache-2.0
// A sentence with words that stand out, as lib/sentences builds them.
import type { VNode } from "preact";
import type { Words } from "../lib/sentences";

export function Sentence(props: { words: readonly Words[]; lead?: boolean; id?: string }): VNode {
  return (
    <p class={props.lead === false ? "sentence" : "sentence lead"} id={props.id}>
      {props.words.map((w, k) =>
        w.strong === true ? <strong key={k}>{w.text}</strong> : <span key={k}>{w.text}</span>,
      )}
    </p>
  );
}
