// SPDX-License-Identifier: Apache-2.0
// Events for reading: the same one several times in a row is one line. Pure.
import type { StoreEvent } from "./types";

export interface EventGroup {
  /** the newest of them */
  event: StoreEvent;
  n: number;
}

export function groupEvents(events: readonly StoreEvent[]): EventGroup[] {
  const groups: EventGroup[] = [];
  for (const event of events) {
    const last = groups[groups.length - 1];
    if (last !== undefined && last.event.kind === event.kind && last.event.text === event.text) last.n++;
    else groups.push({ event, n: 1 });
  }
  return groups;
}
