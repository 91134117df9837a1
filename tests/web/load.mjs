// SPDX-License-Identifier: Apache-2.0
// load.mjs URL [--clients N] [--pause MS] [--page]: dashboards that hammer. Each client does what an open page does, only without rest: it
// listens to the events and asks, view after view, for what a page asks for, with the ETags that it has. --page: one real Chromium page
// is among them. Commands on standard input, one per line, each answered by one line:
//   go     begin                                    going
//   stop   close all connections                    requests=N errors=N same=N events=N p50_ms=X p99_ms=X
//   sql    ask an endless query, wait for its end   cut=0|1 ms=X status=N
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";

const args = process.argv.slice(2);
const url = new URL(args.find((a) => a.startsWith("http")));
const option = (name, fallback) => (args.includes(name) ? Number(args[args.indexOf(name) + 1]) : fallback);
const CLIENTS = option("--clients", 20), PAUSE_MS = option("--pause", 50);

let going = false;
let clients = [];
let stats;
let first = { id: 1, columns: [] };

function ask(agent, path, { etags, method = "GET", body = null, timeout = 30000 } = {}) {
  return new Promise((done) => {
    const headers = { "Accept-Encoding": "gzip", Host: url.host };
    if (etags?.has(path)) headers["If-None-Match"] = etags.get(path);
    if (body !== null) Object.assign(headers, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body), Origin: url.origin });
    const call = request({ host: url.hostname, port: url.port, path, method, agent, headers, timeout }, (answer) => {
      let bytes = 0;
      const parts = [];
      answer.on("data", (part) => {
        bytes += part.length;
        if (bytes < 65536) parts.push(part);
      });
      answer.on("end", () => {
        if (answer.headers.etag !== undefined) etags?.set(path, answer.headers.etag);
        done({ status: answer.statusCode, text: Buffer.concat(parts).toString("utf8") });
      });
      answer.on("error", () => done({ status: 0, text: "" }));
    });
    call.on("timeout", () => call.destroy());
    call.on("error", (error) => done({ status: 0, text: String(error) }));
    call.end(body ?? undefined);
  });
}

const pick = (list) => list[Math.floor(Math.random() * list.length)];

/** What the views ask for; numbers differ, so that the server cannot answer all from what it keeps. */
function questions() {
  const e = `/api/v1/experiments/${first.id}`;
  const column = pick(first.columns) ?? { name: "accuracy" };
  const at = (Math.random() * 0.8).toFixed(3);
  return [
    "/api/v1/overview", "/api/v1/overview", "/api/v1/workers/timeline", e, `${e}/runs?limit=100`,
    `${e}/runs?limit=100&sort=${pick(["", "-"])}${encodeURIComponent(column.name)}&filter=accuracy~gt~${at}`,
    `${e}/runs?limit=100&sort=-accuracy&filter=train.lr~lt~${(Math.random() / 1000).toPrecision(3)}`,
    `${e}/pareto?x=tokens&y=accuracy&by=schedule`, `${e}/compare?measure=accuracy&by=schedule&filter=accuracy~gt~${at}`,
    `${e}/curves?metric=reward&by=schedule&filter=model~eq~${pick(["small", "base", "wide", "deep", "long-00"])}&points=600`,
    `${e}/graph`, `${e}/jobs?limit=100`, `${e}/failures`, `${e}/labels`,
  ];
}

async function live(client) {
  while (going && client.on) {
    const path = pick(questions());
    const start = performance.now();
    const answer = await ask(client.agent, path, { etags: client.etags });
    if (!going || !client.on) return;
    stats.ms.push(performance.now() - start);
    stats.requests++;
    if (answer.status === 304) stats.same++;
    // 503 with Retry-After is the server's right: it says that it is busy.
    else if (answer.status !== 200 && answer.status !== 503) {
      stats.errors++;
      if (stats.first === undefined) stats.first = `${answer.status} ${path} ${answer.text.slice(0, 200)}`;
    } else if (answer.status === 503) stats.busy++;
    if (PAUSE_MS > 0) await new Promise((done) => setTimeout(done, PAUSE_MS * (0.5 + Math.random())));
  }
}

function listen(client) {
  const call = request({ host: url.hostname, port: url.port, path: "/api/v1/events", headers: { Accept: "text/event-stream", Host: url.host } }, (answer) => {
    answer.on("data", (part) => { stats.events += part.toString().split("event: change").length - 1; });
    answer.on("error", () => {});
  });
  call.on("error", () => {});
  call.end();
  client.events = call;
}

let page = null;
async function openPage() {
  const { browser, newPage } = await import("./lib/browser.mjs");
  const web = await browser();
  page = { web, tab: await newPage(web), busy: null };
}

async function walkPage() {
  const tab = page.tab;
  while (going) {
    for (const hash of ["#/", `#/experiments/${first.id}/runs`, "#/workers", `#/experiments/${first.id}/curves`]) {
      if (!going) return;
      await tab.goto(`${url.origin}/${hash}`).catch(() => {});
      await new Promise((done) => setTimeout(done, 1500));
    }
  }
}

async function go() {
  const overview = JSON.parse(await plain("/api/v1/overview"));
  const large = (overview.experiments ?? []).slice().sort((a, b) => b.runs - a.runs)[0];
  if (large !== undefined) first = { id: large.id, columns: JSON.parse(await plain(`/api/v1/experiments/${large.id}`)).columns ?? [] };
  stats = { requests: 0, errors: 0, same: 0, busy: 0, events: 0, ms: [], first: undefined };
  going = true;
  clients = Array.from({ length: CLIENTS }, () => ({ on: true, etags: new Map(), agent: new Agent({ keepAlive: true, maxSockets: 6 }) }));
  for (const client of clients) {
    listen(client);
    void live(client);
  }
  if (page !== null) page.busy = walkPage();
  return "going";
}

async function plain(path) {
  return (await fetch(url.origin + path)).text();
}

async function stop() {
  going = false;
  for (const client of clients) {
    client.on = false;
    client.events?.destroy();
    client.agent.destroy();
  }
  clients = [];
  if (page !== null) {
    await page.busy;
    await page.tab.goto("about:blank").catch(() => {});
  }
  const ms = stats.ms.sort((a, b) => a - b);
  const at = (share) => (ms.length === 0 ? 0 : ms[Math.min(ms.length - 1, Math.ceil(ms.length * share) - 1)]).toFixed(1);
  if (stats.first !== undefined) console.error(`load: ${stats.first}`);
  return `requests=${stats.requests} errors=${stats.errors} busy=${stats.busy} same=${stats.same} events=${stats.events} p50_ms=${at(0.5)} p99_ms=${at(0.99)}`;
}

const ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

async function sql() {
  const start = performance.now();
  const answer = await ask(undefined, "/api/v1/query", { method: "POST", body: JSON.stringify({ sql: ENDLESS }), timeout: 60000 });
  const ms = performance.now() - start;
  // Cut: an answer that says so, within the limit of ten seconds and a bit.
  const cut = answer.status >= 400 && answer.status < 600 && /time|limit|long/i.test(answer.text) && ms < 15000;
  return `cut=${cut ? 1 : 0} ms=${ms.toFixed(0)} status=${answer.status}`;
}

if (args.includes("--page")) await openPage();
for await (const line of createInterface({ input: process.stdin })) {
  const commands = { go, stop, sql };
  if (commands[line.trim()] !== undefined) console.log(await commands[line.trim()]());
}
going = false;
await page?.web.close();
process.exit(0);
