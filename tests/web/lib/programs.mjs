// SPDX-License-Identifier: Apache-2.0
// drover's programs as processes in a folder of their own. BIN names the folder of the programs.
// What was started here is ended here, by its number.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const BIN = process.env.BIN ?? new URL("../../../build/release/bin", import.meta.url).pathname;
export const REPOSITORY = new URL("../../..", import.meta.url).pathname;

const children = new Set();
let folder = null;

/** A scratch folder, removed at the end (KEEP=1 leaves it). */
export function scratch() {
  folder ??= mkdtempSync(join(process.env.TMPDIR ?? tmpdir(), "drover-web-"));
  return folder;
}

function endAll() {
  for (const child of children) child.kill("SIGKILL");
  if (folder !== null && !process.env.KEEP) rmSync(folder, { recursive: true, force: true });
}
process.on("exit", endAll);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Until CONDITION (sync or not) is true; throws with WHAT after SECONDS. */
export async function until(condition, what, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    let value;
    try {
      value = await condition();
    } catch {
      value = false;
    }
    if (value) return value;
    if (Date.now() > end) throw new Error(`after ${seconds} s still not: ${typeof what === "function" ? what() : what}`);
    await sleep(30);
  }
}

/** Start PROGRAM of BIN; its output goes to NAME.log in the scratch folder. */
export function start(program, args, { name = program, env = {} } = {}) {
  const log = join(scratch(), name + ".log");
  const out = openSync(log, "a");
  const child = spawn(join(BIN, program), args, { env: { ...process.env, ...env }, stdio: ["ignore", out, out] });
  closeSync(out);
  children.add(child);
  child.unref(); // who has nothing else to do may end, and ends its children
  child.ended = new Promise((done) => child.on("exit", (code, signal) => {
    children.delete(child);
    done(code ?? signal);
  }));
  child.log = log;
  child.on("error", () => {});
  return child;
}

export async function stop(child, signal = "SIGKILL") {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  child.kill(signal);
  await child.ended;
}

/** Run PROGRAM to its end; its standard output. Throws with what it said. */
export function run(program, args, { timeout = 300, env = {} } = {}) {
  const done = spawnSync(join(BIN, program), args, {
    env: { ...process.env, ...env },
    encoding: "utf8",
    maxBuffer: 256 << 20,
    timeout: timeout * 1000,
  });
  if (done.status !== 0)
    throw new Error(`${program} ${args.join(" ")}: ${done.error ?? `exit code ${done.status}`}\n${(done.stderr ?? "").slice(-2000)}`);
  return done.stdout;
}

/** Rows that SQL gives on STORE, as objects. */
export function rows(store, sql) {
  const answer = JSON.parse(run("drover", ["query", sql, "--store", store, "--json", "--rows", "100000"]));
  return answer.rows;
}

export function freePort() {
  return new Promise((done, failed) => {
    const server = createServer();
    server.on("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** A dashboard on STORE; {url, port, child, stop(), start()}. */
export async function dashboard(store, args = []) {
  const port = await freePort();
  const board = { port, url: `http://127.0.0.1:${port}`, child: null };
  board.start = async () => {
    board.child = start("drover-dashboard", ["--store", store, "--port", String(port), ...args]);
    await until(async () => {
      if (board.child.exitCode !== null) return true;
      return (await fetch(`${board.url}/api/v1/version`)).ok;
    }, "the dashboard answers");
    if (board.child.exitCode !== null) throw new Error(`the dashboard ended: ${readFileSync(board.child.log, "utf8").slice(-2000)}`);
  };
  board.stop = () => stop(board.child);
  await board.start();
  return board;
}

/** A coordinator on STORE; {endpoint, child, worker(name)}. */
export async function coordinator(store, args = []) {
  const ready = store + ".ready";
  rmSync(ready, { force: true });
  const child = start("drover-coordinator", ["--store", store, "--listen", "tcp://127.0.0.1:*", "--ready-file", ready, ...args]);
  await until(() => existsSync(ready) && readFileSync(ready, "utf8").endsWith("\n"), "the coordinator is ready");
  const endpoint = readFileSync(ready, "utf8").trim();
  const env = { DROVER_KEY: `${store}-keys/local.key`, DROVER_SERVER_KEY: `${store}-keys/coordinator.pub` };
  return {
    endpoint,
    child,
    env,
    worker: (name, more = []) =>
      start("drover-worker", ["--coordinator", endpoint, "--name", name, "--slots", "1", "--threads", "1", "--cache", `${store}-cache-${name}`, ...more], { name: "worker-" + name, env }),
  };
}

/** What is missing for browser tests; null: nothing. */
export function missing() {
  for (const program of ["drover", "drover-dashboard", "drover-coordinator", "drover-worker"])
    if (!existsSync(join(BIN, program))) return `${program} is not built in ${BIN}`;
  return null;
}
