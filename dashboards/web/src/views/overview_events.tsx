// SPDX-License-Identifier: Apache-2.0
import type { VNode } from "preact";
import { Ago, Card, Empty } from "../components/basics";
import { stateTone } from "../lib/colours";
import { outcomeWord } from "../lib/outcomes";
import { link } from "../lib/router";
import { groupEvents } from "../lib/events";
import type { StoreEvent } from "../lib/types";

function toneOf(name: string): string {
  const kind = name.toLowerCase();
  if (/fail|error|oom|timeout|quarantin|crash/.test(kind)) return "bad";
  if (/lost|preempt|expire|diverge|pause|drain|refus|quiet/.test(kind)) return "warn";
  if (/join|submit|start|finish|resume|open/.test(kind)) return "good";
  return stateTone(kind);
}

export function Events(props: { events: StoreEvent[] }): VNode {
  return (
    <Card title="What happened" class="events-card">
      {props.events.length === 0 ? (
        <Empty title="Nothing yet" />
      ) : (
        <ol class="events">
          {groupEvents(props.events).map(({ event: e, n }) => (
            <li key={e.id} class="event">
              <i class={"event-mark tone-" + toneOf(e.kind)} aria-hidden="true" />
              <span class="event-kind">
                {outcomeWord(e.kind)}
                {n > 1 && <span class="muted"> {n} times</span>}
              </span>
              <span class="event-when">
                <Ago at={e.at_ms} />
              </span>
              <span class="event-text">
                {e.text !== null && e.text !== "" && (
                  <span class="event-words" title={e.text.slice(0, 2000)}>
                    {e.text.slice(0, 400)}
                  </span>
                )}
                {e.job !== null && <a href={link("jobs", e.job)}>job {e.job}</a>}
              </span>
            </li>
          ))}
        </ol>
      )}
    </Card>
  );
}
