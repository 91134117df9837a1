// SPDX-License-Identifier: Apache-2.0
// What changed: one stream of events for the whole page. Views register with onTick(); they are
// called at most once a second, and not at all while the tab is hidden.
import { useEffect, useState } from "preact/hooks";
import { apiAddress, authorization } from "./api";
import { EventParser, backOffMs } from "./sse";

export interface LiveState {
  state: "connecting" | "live" | "offline" | "paused";
  /** since when, ms */
  since: number;
  change: number | null;
  /** what is wrong with the store, if anything */
  trouble: string | null;
}

/** What a view follows: the store; or also what the coordinator knows (what runs now). */
export type Follows = "store" | "all";

const TICK_MS = 1000;
const SILENCE_MS = 40000; // the server says something every 15 s

let current: LiveState = { state: "connecting", since: Date.now(), change: null, trouble: null };
const watchers = new Set<(state: LiveState) => void>();
const tickers = new Map<() => void, Follows>();
let lastTick = 0;
let storeNews = false;
let lastLive: number | null = null;
let pending: ReturnType<typeof setTimeout> | undefined;
let abort: AbortController | null = null;
let tries = 0;
let retryTimer: ReturnType<typeof setTimeout> | undefined;

function say(state: LiveState["state"], change?: number, trouble: string | null = null): void {
  const same = state === current.state;
  current = { state, since: same ? current.since : Date.now(), change: change ?? current.change, trouble };
  for (const watcher of watchers) watcher(current);
}

function tick(store: boolean): void {
  storeNews ||= store;
  if (pending !== undefined || document.hidden) return;
  const wait = Math.max(0, lastTick + TICK_MS - Date.now());
  pending = setTimeout(() => {
    pending = undefined;
    lastTick = Date.now();
    const all = storeNews;
    storeNews = false;
    for (const [ticker, follows] of [...tickers]) if (all || follows === "all") ticker();
  }, wait);
}

export function onTick(ticker: () => void, follows: Follows = "store"): () => void {
  tickers.set(ticker, follows);
  return () => {
    tickers.delete(ticker);
  };
}

async function listen(mine: AbortController): Promise<void> {
  let silence: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => mine.abort(), SILENCE_MS);
  };
  try {
    heard();
    const answer = await fetch(apiAddress("events"), {
      headers: { Accept: "text/event-stream", ...authorization() },
      cache: "no-store",
      signal: mine.signal,
    });
    if (!answer.ok || answer.body === null) throw new Error(String(answer.status));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new EventParser();
    say("live");
    if (tries > 0) tick(true); // something may have changed while nobody listened
    tries = 0;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      heard();
      for (const event of parser.feed(value)) take(event.event, event.data);
    }
  } finally {
    clearTimeout(silence);
  }
}

function take(event: string, data: string): void {
  if (event !== "change") return;
  let body: { change?: unknown; live?: unknown; store?: unknown } = {};
  try {
    body = JSON.parse(data) as typeof body;
  } catch {
    // an event that cannot be read is still a change
  }
  const change = typeof body.change === "number" ? body.change : undefined;
  const live = typeof body.live === "number" ? body.live : null;
  const storeChanged = change === undefined || change !== current.change;
  const liveChanged = live !== lastLive;
  lastLive = live;
  say("live", change, typeof body.store === "string" && body.store !== "open" ? body.store : null);
  if (storeChanged || liveChanged) tick(storeChanged);
}

function connect(): void {
  clearTimeout(retryTimer);
  if (document.hidden || abort !== null) return;
  const mine = new AbortController();
  abort = mine;
  listen(mine)
    .catch(() => undefined)
    .finally(() => {
      if (abort !== mine) return;
      abort = null;
      say("offline");
      retryTimer = setTimeout(connect, backOffMs(tries++, Math.random()));
    });
}

function visibility(): void {
  if (document.hidden) {
    clearTimeout(retryTimer);
    abort?.abort();
    abort = null;
    say("paused");
  } else {
    tries = Math.max(tries, 1); // a tick as soon as it listens again
    say("connecting");
    connect();
    tick(true);
  }
}

let started = false;

export function startLive(): void {
  if (started) return;
  started = true;
  document.addEventListener("visibilitychange", visibility);
  window.addEventListener("online", () => {
    tries = 0;
    connect();
  });
  connect();
}

/** After a new token. */
export function reconnect(): void {
  tries = 1;
  abort?.abort();
  clearTimeout(retryTimer);
  retryTimer = setTimeout(connect, 50);
  tick(true);
}

export function useLive(): LiveState {
  const [state, setState] = useState(current);
  useEffect(() => {
    watchers.add(setState);
    setState(current);
    return () => {
      watchers.delete(setState);
    };
  }, []);
  return state;
}
