// SPDX-License-Identifier: Apache-2.0
// Server-sent events, as a pure parser of pieces of text.

export interface ServerEvent {
  event: string;
  data: string;
}

/** Feeds pieces of a stream; gives the events that became complete. Comments are left out. */
export class EventParser {
  private rest = "";
  private event = "";
  private data: string[] = [];

  feed(piece: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const lines = (this.rest + piece).split(/\r\n|\n|\r(?=[^\n])/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (this.data.length > 0) events.push({ event: this.event || "message", data: this.data.join("\n") });
        this.event = "";
        this.data = [];
      } else {
        this.field(line);
      }
    }
    if (this.rest.length > 1 << 20) this.rest = "";
    return events;
  }

  private field(line: string): void {
    const cut = line.indexOf(":");
    if (cut === 0) return;
    const name = cut < 0 ? line : line.slice(0, cut);
    const value = cut < 0 ? "" : line.slice(cut + 1).replace(/^ /, "");
    if (name === "event") this.event = value;
    else if (name === "data") this.data.push(value);
  }
}

/** How long to wait before the Nth try (from 0) to reach the server: 0.5 s to 15 s, spread by a
 * quarter so that many pages do not come at once. CHANCE is 0..1. */
export function backOffMs(tries: number, chance: number): number {
  const base = Math.min(15000, 500 * 2 ** Math.min(tries, 10));
  return Math.round(base * (0.75 + 0.5 * chance));
}
