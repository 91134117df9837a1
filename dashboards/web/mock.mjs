// SPDX-License-Identifier: Apache-2.0
// Serves dist/ and invented answers of /api/v1, so that the page can be worked on without a store:
//   npm run dev              then open http://127.0.0.1:8421/
//   MOCK=empty|slow|broken   a fresh store, slow answers, answers that fail now and then
//   API=http://127.0.0.1:8420  a running dashboard's answers under this page
// A file mock/<path with ~ for />.json, if there is one, is answered instead of the invention.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = dirname(fileURLToPath(import.meta.url));
const mood = process.env.MOCK ?? "";
const port = Number(process.env.PORT ?? 8421);
const started = Date.now();
const HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>&amp; "quoted" \\ ' + "long ".repeat(60);

function hash(...parts) {
  let h = 2166136261;
  for (const c of parts.join("/")) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
  h ^= h >>> 15;
  h = Math.imul(h, 2246822507);
  h ^= h >>> 13;
  return (h >>> 0) / 4294967296;
}
const normal = (...p) => Math.sqrt(-2 * Math.log(hash("a", ...p) + 1e-9)) * Math.cos(2 * Math.PI * hash("b", ...p));
const change = () => Math.floor((Date.now() - started) / 2000) + 1;
const SCHEDULES = ["fixed", "linear", "exponential", "cosine", "adaptive"];
const LIFT = { fixed: 0, linear: 0.08, exponential: 0.197, cosine: 0.14, adaptive: 0.11 };

const EXPERIMENTS = [
  { id: 3, name: "curriculum-budget", kind: "curriculum", runs: 60, jobs: 1380, speed: 0.6, state: "running" },
  { id: 2, name: "labels-gsm8k-small", kind: "labels", runs: 24, jobs: 412, speed: 0, state: "failed" },
  {
    id: 4,
    name: "sweep-of-a-million-learning-rates-and-widths",
    kind: "sweep",
    runs: 200000,
    jobs: 600000,
    speed: 40,
    state: "running",
  },
  { id: 5, name: HOSTILE.slice(0, 120), kind: "sweep", runs: 8, jobs: 24, speed: 0, state: "paused" },
  { id: 1, name: "quickstart", kind: "curriculum", runs: 12, jobs: 48, speed: 0, state: "finished" },
];

function counts(e) {
  const age = (Date.now() - started) / 1000;
  const failed = { 2: 17, 3: 4, 4: 1312 }[e.id] ?? 0;
  const diverged = { 3: 2, 4: 240 }[e.id] ?? 0;
  const skipped = { 2: 21, 3: 6 }[e.id] ?? 0;
  const done =
    e.state === "running"
      ? Math.min(e.jobs - 100, Math.floor(e.jobs * 0.55 + age * e.speed))
      : e.state === "paused"
        ? 9
        : e.jobs - failed - skipped;
  const running = e.state === "running" ? (e.id === 3 ? 9 : 7) : 0;
  const rest = Math.max(0, e.jobs - done - failed - diverged - skipped - running);
  const ready = Math.min(rest, e.state === "finished" ? 0 : Math.floor(rest * 0.3));
  return { jobs: e.jobs, done, running, ready, waiting: rest - ready, failed, skipped, cancelled: 0, diverged };
}

function experiment(e) {
  const bucket = 300000;
  const n = e.speed > 0 ? 1 : 0.2;
  const c = counts(e);
  return {
    id: e.id,
    name: e.name,
    has: {
      labels: e.kind === "labels",
      curriculum: e.kind === "curriculum",
      tables: e.kind !== "sweep",
      metrics: e.kind !== "labels",
      scores: true,
    },
    revision: e.id === 3 ? 2 : 1,
    state: e.state,
    paused: e.state === "paused",
    priority: e.id === 3 ? 5 : 0,
    runs: e.runs,
    ...c,
    submitted_ms: started - e.id * 3.1e6 - (e.id < 3 ? 86400000 * 3 : 0),
    last_ms: e.speed > 0 ? Date.now() - 700 : started - 86400000 * (4 - Math.min(3, e.id)),
    eta_s: e.speed > 0 ? (c.ready + c.waiting + c.running) / e.speed : null,
    per_s: e.speed > 0 ? e.speed * (0.9 + 0.2 * hash("ps", change())) : 0,
    spark: {
      from_ms: Date.now() - 48 * bucket,
      bucket_ms: bucket,
      done: Array.from({ length: 48 }, (_, k) =>
        Math.round(
          (e.speed > 0 ? 30 + 20 * Math.sin(k / 5 + e.id) + 12 * hash(e.id, k, "s") : k < 20 ? 40 * hash(e.id, k) : 0) *
            n,
        ),
      ),
      failed: Array.from({ length: 48 }, (_, k) => (c.failed > 0 && hash(e.id, k, "f") > 0.85 ? 3 : 0)),
    },
    failures:
      c.failed === 0
        ? []
        : [
            { outcome: "failed", n: Math.ceil(c.failed * 0.7) },
            { outcome: "memory", n: Math.floor(c.failed * 0.3) },
          ].filter((f) => f.n > 0),
  };
}

const STEPS = {
  curriculum: [
    ["pretrain", "pretrain", []],
    ["stage-1", "stage", ["pretrain"]],
    ["stage-2", "stage", ["stage-1"]],
    ["stage-3", "stage", ["stage-2"]],
    ["stage-4", "stage", ["stage-3"]],
    ["evaluate", "evaluate", ["stage-1", "stage-2", "stage-3", "stage-4"]],
    ["score", "score", ["evaluate"]],
  ],
  labels: [
    ["model", "pretrain", []],
    ["search", "search", ["model"]],
    ["label", "label", ["search"]],
    ["router", "route", ["label"]],
    ["evaluate", "evaluate", ["router", "model"]],
  ],
  sweep: [
    ["train", "train", []],
    ["evaluate", "evaluate", ["train"]],
    ["score", "score", ["evaluate"]],
  ],
};

function worker(k) {
  const host = ["atlas", "atlas", "borealis", "cygnus-with-a-rather-long-host-name", "delta"][k];
  const gone = k === 4;
  const slots = [4, 4, 8, 4, 2][k];
  const running = gone ? 0 : [4, 3, 8, 1, 0][k];
  return {
    id: k + 1,
    name: `${host}-${k + 1}`,
    host,
    pid: 4100 + k,
    version: "0.9.0",
    here: !gone,
    gone: gone ? started - 3600000 : null,
    first_ms: started - 9e6,
    last_seen_ms: gone ? started - 3600000 : Date.now() - 400 * k,
    slots,
    running,
    waiting: gone ? 0 : k,
    draining: k === 3,
    jobs: Array.from({ length: running }, (_, j) => {
      const s = (j * 7 + (Date.now() - started) / 1000) % 90;
      return {
        job: 1000 + k * 20 + j,
        step: ["stage-3", "evaluate", "search", "train"][(j + k) % 4],
        kind: ["stage", "evaluate", "search", "train"][(j + k) % 4],
        experiment: ["curriculum-budget", "sweep-of-a-million-learning-rates-and-widths"][(j + k) % 2],
        seconds: s,
        done: j % 3 === 2 ? null : Math.floor((s / 90) * 2000),
        total: j % 3 === 2 ? null : 2000,
        what: j % 3 === 0 ? "steps" : "examples",
      };
    }),
    done: 3211 - k * 400,
    failed: k * 3,
    busy: [0.98, 0.71, 0.94, 0.22, 0][k],
  };
}

function overview() {
  if (mood === "empty")
    return {
      version: 1,
      change: 1,
      at_ms: Date.now(),
      store: { path: "results.db", schema: 12, bytes: 65536, wal_bytes: 0 },
      coordinator: null,
      experiments: [],
      workers: [],
      events: [],
      totals: { done_per_s: 0 },
    };
  const kinds = [
    ["attempt_lost", "lost after 30 s of silence; given to another worker"],
    ["worker_joined", "borealis-3 with 8 slots"],
    ["submitted", "curriculum-budget revision 2"],
    ["job_failed", HOSTILE],
    ["quarantined", "job 1042 failed on two workers"],
    ["paused", "by hand"],
  ];
  return {
    version: 1,
    change: change(),
    at_ms: Date.now(),
    store: { path: "results/results.db", schema: 12, bytes: 3.2e9, wal_bytes: 4.1e6 },
    coordinator: { pid: 4001, endpoint: "tcp://127.0.0.1:7420", incarnation: 7 },
    experiments: EXPERIMENTS.map(experiment),
    workers: [0, 1, 2, 3, 4].map(worker),
    events: Array.from({ length: 30 }, (_, k) => ({
      id: 900 - k,
      at_ms: Date.now() - k * 83000,
      kind: kinds[k % 6][0],
      text: kinds[k % 6][1],
      job: k % 2 === 0 ? 1000 + k : null,
      attempt: k % 2 === 0 ? 5000 + k : null,
    })),
    totals: { done_per_s: 40.6, done: 412345, failed: 1333, slots: 20, running: 16 },
  };
}

const COLUMNS = {
  curriculum: [
    ["schedule", "param", "text"],
    ["seed", "param", "number"],
    ["lr", "param", "number"],
    ["difficulty", "param", "text"],
    ["state", "state", "text"],
    ["accuracy", "measure", "number"],
    ["base", "measure", "number"],
    ["tokens", "measure", "number"],
    ["reward", "measure", "number"],
    ["seconds", "measure", "number"],
    ["jobs", "measure", "number"],
    ["done", "measure", "number"],
    ["failed", "measure", "number"],
  ],
  labels: [
    ["task", "param", "text"],
    ["simulations", "param", "number"],
    ["seed", "param", "number"],
    ["state", "state", "text"],
    ["accuracy", "measure", "number"],
    ["base", "measure", "number"],
    ["oracle", "measure", "number"],
    ["layers", "measure", "number"],
    ["seconds", "measure", "number"],
  ],
  sweep: [
    ["lr", "param", "number"],
    ["width", "param", "number"],
    ["depth", "param", "number"],
    ["dropout", "param", "number"],
    ["optimizer", "param", "text"],
    ["seed", "param", "number"],
    ["state", "state", "text"],
    ["accuracy", "measure", "number"],
    ["loss", "measure", "number"],
    ["tokens", "measure", "number"],
    ["layers", "measure", "number"],
    ["seconds", "measure", "number"],
  ],
};
const grids = new Map();
function grid(e) {
  let g = grids.get(e.id);
  if (g !== undefined) return g;
  const columns = COLUMNS[e.kind];
  g = { columns, rows: [] };
  for (let r = 0; r < e.runs; r++) {
    const k = (name, n) => Math.floor(hash(e.id, r, name) * n);
    const schedule = SCHEDULES[r % 5];
    const seed = Math.floor(r / 5) % 5;
    const state =
      r % 17 === 3
        ? "failed"
        : r % 11 === 5 && e.speed > 0
          ? "running"
          : r % 29 === 7
            ? "diverged"
            : e.speed > 0 && r % 3 === 2
              ? "waiting"
              : "finished";
    const none = state === "waiting" || state === "failed";
    const v = {
      schedule,
      seed,
      lr: [0.0001, 0.0003, 0.001, 0.003][k("lr", 4)],
      difficulty: ["easy first", "mixed"][k("d", 2)],
      state,
      task: ["gsm8k", "math-3", "logic"][r % 3],
      simulations: [50, 200][k("sim", 2)],
      width: [64, 128, 256, 512][k("w", 4)],
      depth: [2, 4, 8, 12, 24][k("dep", 5)],
      dropout: [0, 0.1, 0.2][k("do", 3)],
      optimizer: ["adamw", "sgd", "muon"][k("opt", 3)],
      accuracy: none ? null : Math.min(0.99, 0.52 + (LIFT[schedule] ?? 0) + 0.03 * normal(e.id, r)),
      base: none ? null : 0.5 + 0.02 * normal("base", r),
      oracle: none ? null : 0.83 + 0.02 * normal("o", r),
      loss: none ? null : 1.2 + 0.3 * normal("l", r),
      tokens: none ? null : Math.round(18 + 80 * hash("tok", r)),
      layers: none ? null : 14 + 10 * hash("lay", r),
      reward: none ? null : 0.4 + 0.1 * normal("rew", r),
      seconds: 30 + 400 * hash("sec", r),
      jobs: 23,
      done: none ? 5 : 23,
      failed: state === "failed" ? 1 : 0,
    };
    g.rows.push({ run: e.id * 1000000 + r + 1, values: columns.map(([name]) => v[name] ?? null) });
  }
  grids.set(e.id, g);
  return g;
}
function match(g, filters) {
  const tests = filters.map((f) => {
    const [name, op, ...rest] = f.split("~");
    const value = rest.join("~");
    const c = g.columns.findIndex((x) => x[0] === name);
    if (c < 0) throw Object.assign(new Error(`no column "${name}"; remove the filter`), { status: 400 });
    const n = Number(value);
    return (row) => {
      const v = row.values[c];
      if (v === null) return false;
      const x = typeof v === "number" ? v : String(v);
      const y = typeof v === "number" ? n : value;
      return (
        {
          eq: x === y,
          ne: x !== y,
          lt: x < y,
          le: x <= y,
          gt: x > y,
          ge: x >= y,
          has: String(v).includes(value),
          in: value.split(",").includes(String(v)),
        }[op] ?? false
      );
    };
  });
  return g.rows.filter((row) => tests.every((t) => t(row)));
}
const sortedRows = new Map();
function runs(e, q) {
  const g = grid(e);
  const sort = q.get("sort") ?? "run";
  const key = e.id + sort + q.getAll("filter").join("&");
  let rows = sortedRows.get(key);
  if (rows === undefined) {
    rows = match(g, q.getAll("filter"));
    const c = g.columns.findIndex((x) => x[0] === sort.replace(/^-/, ""));
    const sign = sort.startsWith("-") ? -1 : 1;
    if (c >= 0)
      rows = [...rows].sort((a, b) => {
        const x = a.values[c];
        const y = b.values[c];
        return x === null || y === null ? (x === null) - (y === null) : x < y ? -sign : x > y ? sign : a.run - b.run;
      });
    else if (sign < 0) rows = [...rows].reverse();
    sortedRows.set(key, rows);
  }
  const from = Number(q.get("after") ?? 0);
  const limit = Math.min(1000, Number(q.get("limit") ?? 100));
  const wanted = q.get("columns") ? q.get("columns").split(",") : g.columns.map((c) => c[0]);
  const at = wanted.map((w) => g.columns.findIndex((c) => c[0] === w));
  return {
    version: 1,
    columns: at.map((k) => ({ name: g.columns[k][0], kind: g.columns[k][1], type: g.columns[k][2] })),
    rows: rows.slice(from, from + limit).map((r) => ({ run: r.run, values: at.map((k) => r.values[k]) })),
    total: g.rows.length,
    matched: rows.length,
    next: from + limit < rows.length ? String(from + limit) : null,
    ready: true,
    loaded: 1,
  };
}
function doc(e) {
  const g = grid(e);
  const c = counts(e);
  const steps = STEPS[e.kind];
  return {
    version: 1,
    experiment: { ...experiment(e), recipe: e.kind, path: `experiments/${e.kind}.toml`, git: "23f9cc5" },
    recipe: `${e.kind}.cfg`,
    git: "4f6e1a0 main clean",
    revisions: [{ number: 1, submitted_ms: started - 9e6 }],
    steps: steps.map(([step, kind, needs], k) => ({
      step,
      kind,
      needs,
      jobs: Math.round(e.jobs / steps.length),
      done: Math.round((c.done / steps.length) * (1 - k * 0.12)),
      running: k < 2 ? Math.round(c.running / 2) : 0,
      ready: k === 2 ? Math.round(c.ready) : 0,
      waiting: Math.round((c.waiting / steps.length) * k * 0.5),
      failed: k === 1 ? c.failed : 0,
      skipped: k === steps.length - 1 ? c.skipped : 0,
      cancelled: 0,
      diverged: k === 2 ? c.diverged : 0,
      seconds: 20 + k * 13,
      eta_s: 900 * k,
    })),
    columns: g.columns.map(([name, kind, type], k) => {
      const sample = g.rows
        .slice(0, 5000)
        .map((r) => r.values[k])
        .filter((v) => v !== null);
      const set = [...new Set(sample)];
      return {
        name,
        kind,
        type,
        distinct: set.length,
        min: type === "number" ? Math.min(...sample) : null,
        max: type === "number" ? Math.max(...sample) : null,
        values:
          kind === "measure"
            ? []
            : set.slice(0, 50).map((value) => ({ value, n: sample.filter((v) => v === value).length })),
      };
    }),
    metrics:
      e.kind === "labels"
        ? []
        : [
            ["reward", 60],
            ["loss", 60],
            ["grad_norm", 60],
            ["tokens", 60],
          ].map(([metric, n]) => ({
            step: e.kind === "sweep" ? "train" : "stage-1",
            metric,
            series: n,
            points: n * 1000,
          })),
    has: {
      labels: e.kind === "labels",
      curriculum: e.kind === "curriculum",
      tables: e.kind !== "sweep",
      metrics: e.kind !== "labels",
      scores: true,
    },
  };
}
function curves(e, q) {
  const by = q.get("by") || "schedule";
  const metric = q.get("metric") ?? "reward";
  const names =
    q.get("each") === "1"
      ? Array.from({ length: 60 }, (_, k) => `run ${k + 1}`)
      : by.startsWith("schedule") && e.kind === "curriculum"
        ? SCHEDULES
        : ["adamw", "sgd", "muon"];
  const falling = metric === "loss";
  const groups = names.map((name, g) => ({
    name,
    value: name,
    runs: 12,
    series: 12,
    seeds: 5,
    points: Array.from({ length: 240 }, (_, k) => {
      const t = k / 240;
      const base =
        0.2 +
        (0.35 + (LIFT[name] ?? g * 0.01)) * (1 - Math.exp(-4 * t)) +
        0.015 * Math.sin(k / 3 + g) +
        0.01 * normal(name, k, metric);
      const y = falling ? 2.2 - 2 * base : base;
      const w = 0.03 + 0.05 * (1 - t);
      return [k * 10, y, y - w, y + w, 5];
    }),
  }));
  return {
    version: 1,
    metric,
    step: "stage-1",
    by,
    x: "step",
    groups,
    band: "95% t interval over seeds",
    stages:
      e.kind === "curriculum"
        ? [0, 1, 2, 3].map((k) => ({
            step: `stage-${k + 1}`,
            label: `stage ${k + 1} · ${[64, 48, 32, 16][k]} tokens`,
            from: k * 600,
            to: (k + 1) * 600,
            budget: [64, 48, 32, 16][k],
          }))
        : [],
    points_total: 60000,
  };
}
function pareto(e, q) {
  const g = grid(e);
  const c = (name) => g.columns.findIndex((x) => x[0] === name);
  const x = q.get("x") ?? "tokens";
  const y = q.get("y") ?? "accuracy";
  const by = q.get("by") ?? (e.kind === "curriculum" ? "schedule" : "optimizer");
  const values = by && c(by) >= 0 ? [...new Set(g.rows.map((r) => r.values[c(by)]))].slice(0, 20) : [];
  const all = match(g, q.getAll("filter"))
    .map((r) => ({
      run: r.run,
      x: r.values[c(x)],
      y: r.values[c(y)],
      group: values.length ? values.indexOf(r.values[c(by)]) : null,
    }))
    .filter((p) => p.x != null && p.y != null);
  const front = [];
  let best = -Infinity;
  for (const p of [...all].sort((a, b) => a.x - b.x || b.y - a.y))
    if (p.y > best) {
      best = p.y;
      front.push([p.x, p.y, p.run]);
    }
  return {
    version: 1,
    x,
    y,
    points: all.slice(0, 5000),
    of: all.length,
    front,
    groups: values.map((v) => ({ name: String(v), value: v, runs: 12 })),
  };
}
function compare(e, q) {
  const by = q.get("by") ?? "schedule";
  const measure = q.get("measure") ?? "accuracy";
  const values =
    by === "schedule"
      ? SCHEDULES
      : grid(e).columns.some((c) => c[0] === by)
        ? [
            ...new Set(
              grid(e)
                .rows.slice(0, 1000)
                .map((r) => r.values[grid(e).columns.findIndex((c) => c[0] === by)]),
            ),
          ]
        : ["a", "b"];
  const baseline = q.get("baseline") ?? String(values[0]);
  const rows = values.map((value, k) => {
    const lift = LIFT[value] ?? 0.02 * k;
    const is = String(value) === baseline;
    return {
      value,
      runs: 12,
      seeds: 5,
      n: 640,
      mean: 0.52 + lift,
      lo: 0.49 + lift,
      hi: 0.55 + lift,
      difference: is ? null : lift,
      diff_lo: is ? null : lift - 0.07,
      diff_hi: is ? null : lift + 0.07,
      p: is ? null : lift > 0.1 ? 0.0003 : 0.08,
      adjusted: is ? null : lift > 0.1 ? 0.0012 : 0.16,
      best: lift === Math.max(...values.map((v, j) => LIFT[v] ?? 0.02 * j)),
    };
  });
  return {
    version: 1,
    measure,
    by,
    better: "higher",
    baseline,
    rows,
    notes: ["t intervals over 5 seeds, paired by seed; p adjusted after Holm"],
    winner: { value: "exponential", text: "exponential: +19.7 points over fixed [+12.7, +26.7], 5 seeds" },
  };
}
function curriculum() {
  const budgets = {
    fixed: [32, 32, 32, 32],
    linear: [64, 48, 32, 16],
    exponential: [64, 40, 25, 16],
    cosine: [64, 57, 33, 16],
    adaptive: [64, 44, 30, 16],
  };
  return {
    version: 1,
    groups: SCHEDULES.map((name) => ({
      name,
      value: name,
      runs: 12,
      stages: [0, 1, 2, 3].map((k) => {
        const a = 0.35 + k * 0.08 + LIFT[name] * (0.4 + 0.2 * k);
        return {
          stage: k + 1,
          step: `stage-${k + 1}`,
          from: k * 600,
          to: (k + 1) * 600,
          budget: budgets[name][k],
          difficulty: [1, 2, 4, 7][k],
          accuracy: a,
          accuracy_lo: a - 0.04,
          accuracy_hi: a + 0.04,
          tokens: budgets[name][k] * 0.9,
          tokens_lo: budgets[name][k] * 0.8,
          tokens_hi: budgets[name][k],
          reward: a * 0.9,
          reward_lo: a * 0.85,
          reward_hi: a * 0.95,
          seeds: 5,
        };
      }),
    })),
    planned: [],
  };
}
const LAYERS = 28;
function labelSet(step, task, level, split, s) {
  const n = 400 + Math.round(300 * hash(step, task, level));
  const per_layer = Array.from({ length: LAYERS }, (_, l) => {
    const skip = Math.max(
      0,
      Math.min(0.9, 0.05 + 0.5 * Math.exp(-((l - 17 - s) ** 2) / 18) + 0.05 * normal(l, task, level)),
    );
    const repeat = Math.max(0, Math.min(0.3, 0.12 * Math.exp(-((l - 6) ** 2) / 10) + 0.01 * normal(l, level, "r")));
    const a = Math.round(skip * n * 0.8);
    const b = Math.round(repeat * n * 0.8);
    return [a, Math.round(n * 0.8) - a - b, b];
  });
  return {
    step,
    task,
    level,
    split,
    n,
    labelled: Math.round(n * 0.8),
    preserved: Math.round(n * 0.55),
    improved: Math.round(n * 0.25),
    unsolved: Math.round(n * 0.2),
    layers: LAYERS,
    per_layer,
    lengths: Array.from({ length: 19 }, (_, k) => [16 + k, Math.round(n * 0.2 * Math.exp(-((k - 8) ** 2) / 18))]),
    mean_layers: 24.1,
  };
}
function labels(q) {
  let sets = [
    ["gsm8k", 1],
    ["gsm8k", 2],
    ["math", 1],
    ["math", 2],
    ["math", 3],
    ["math", 4],
    ["math", 5],
    ["logic", 1],
  ].map(([task, level], k) => labelSet("label", task, level, "train", k * 0.4));
  for (const f of ["step", "task", "level", "split"])
    if (q.get(f)) sets = sets.filter((s) => String(s[f]) === q.get(f));
  const sum = (name) => sets.reduce((a, s) => a + s[name], 0);
  const all = {
    ...(sets[0] ?? labelSet("label", "none", 0, "train", 0)),
    task: "all",
    level: null,
    n: sum("n"),
    labelled: sum("labelled"),
    preserved: sum("preserved"),
    improved: sum("improved"),
    unsolved: sum("unsolved"),
    per_layer: Array.from({ length: LAYERS }, (_, l) =>
      [0, 1, 2].map((c) => sets.reduce((a, s) => a + s.per_layer[l][c], 0)),
    ),
    lengths: Array.from({ length: 19 }, (_, k) => [16 + k, sets.reduce((a, s) => a + s.lengths[k][1], 0)]),
  };
  return {
    version: 1,
    sets,
    all,
    steps: ["label"],
    skipped_most: all.per_layer
      .map((c, layer) => ({ layer, share: c[0] / Math.max(1, all.labelled) }))
      .sort((a, b) => b.share - a.share)
      .slice(0, 8),
  };
}
function routing(k) {
  return Array.from({ length: LAYERS }, (_, l) =>
    hash("r", k, l) < 0.45 * Math.exp(-((l - 17) ** 2) / 18) ? "0" : hash("q", k, l) < 0.04 ? "2" : "1",
  ).join("");
}
const QUESTIONS = [
  "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many clips did Natalia sell altogether in April and May?",
  "3+5*2-4=",
  HOSTILE,
  "A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total does it take?",
];
function example(k) {
  return {
    label: k,
    example: "e" + k,
    idx: k,
    task: ["gsm8k", "math", "logic"][k % 3],
    level: (k % 5) + 1,
    split: "train",
    source_id: `train/${k}`,
    question: QUESTIONS[k % 4].slice(0, 300),
    base_correct: k % 3 !== 0,
    has_label: k % 5 !== 4,
    routing: k % 5 === 4 ? null : routing(k),
    label_layers: k % 5 === 4 ? null : [...routing(k)].reduce((a, c) => a + Number(c), 0),
    layers: LAYERS,
    simulations: 50,
  };
}
function labelPage(id) {
  const nodes = [
    {
      place: 0,
      parent: null,
      routing: "1".repeat(LAYERS),
      reward: 0,
      visits: 50,
      value: 0.42,
      answer: "12",
      edit: "root",
    },
  ];
  for (let k = 1; k < 50; k++) {
    const parent = Math.floor(hash(id, k, "p") * Math.min(k, 1 + k * 0.6));
    const l = Math.floor(hash(id, k, "l") * LAYERS);
    const c = hash(id, k, "c") < 0.75 ? "0" : "2";
    const from = nodes[parent].routing;
    nodes.push({
      place: k,
      parent,
      routing: from.slice(0, l) + c + from.slice(l + 1),
      reward: hash(id, k, "w") < 0.5 ? 1 : 0,
      visits: Math.max(1, Math.round(20 / (k + 1) + 4 * hash(id, k))),
      value: hash(id, k, "v"),
      answer: hash(id, k, "w") < 0.5 ? "72" : "12",
      edit: `${c === "0" ? "skip" : "repeat"} ${l}`,
    });
  }
  return {
    version: 1,
    label: {
      ...example(id),
      question: QUESTIONS[id % 4],
      gold: "72",
      base_answer: "48 / 2 = 24, 48 + 24 = 62. The answer is 62.",
      label_answer: "48 / 2 = 24, 48 + 24 = 72. The answer is 72.",
      prompt: "Question: " + QUESTIONS[id % 4] + "\nAnswer:",
    },
    tree: { nodes, layers: LAYERS, simulations: 50, evaluations: 50, best: 7 },
    neighbours: { previous: id > 1 ? id - 1 : null, next: id + 1 },
  };
}
function failures(e) {
  if (counts(e).failed === 0) return { version: 1, groups: [], lost_attempts: [{ outcome: "lost", n: 3 }] };
  const log =
    "step 118  loss 3.21  reward 0.12\nstep 119  loss 7.9e4  reward 0.00\nerror: out of memory: wanted 512 MiB, limit 2048 MiB; lower `batch` or raise `memory`\n";
  const g = (outcome, text, jobs, k) => ({
    step: STEPS[e.kind][k][0],
    kind: STEPS[e.kind][k][1],
    outcome,
    text,
    jobs,
    runs: Math.ceil(jobs * 0.8),
    remedy:
      outcome === "OOM"
        ? 'say what it needs with the step\'s "memory", so that fewer run at once, or make its batch smaller; then drover retry'
        : null,
    run_ids: Array.from({ length: 20 }, (_, r) => e.id * 1000000 + 4 + r * 17),
    first_ms: started - 4e6,
    last_ms: started - 1e5,
    sample: { job: 1040 + k, run: e.id * 1000000 + 4, attempt: 5042, log_tail: log },
  });
  return {
    version: 1,
    groups: [
      g(
        "OOM",
        "out of memory: wanted 512 MiB, limit 2048 MiB; lower `batch` or raise `memory`",
        Math.ceil(counts(e).failed * 0.7),
        1,
      ),
      g("DIVERGED", "loss is not a number at step 119", 2, 1),
      g("FAILED", HOSTILE + "x".repeat(9000), Math.max(1, Math.floor(counts(e).failed * 0.2)), 2),
    ],
    lost_attempts: [
      { outcome: "LOST", n: 3 },
      { outcome: "PREEMPTED", n: 1 },
    ],
  };
}
function timeline(q) {
  const to = Number(q.get("to_ms") || Date.now());
  const from = Number(q.get("from_ms") || to - 3600000);
  return {
    version: 1,
    from_ms: from,
    to_ms: to,
    workers: [0, 1, 2, 3, 4].map((k) => {
      const w = worker(k);
      const lanes = Array.from({ length: w.slots }, (_, s) => {
        const list = [];
        for (let b = Math.floor(from / 120000) - 2; b * 120000 < to; b++) {
          const start = b * 120000 + 30000 * hash(k, s, b);
          const end = start + 30000 + 100000 * hash(k, s, b, "e") * (k === 3 ? 0.3 : 0.75);
          if (end < from || start > to || (k === 4 && end > started - 3600000)) continue;
          const x = hash(k, s, b, "o");
          const running = end > Date.now();
          list.push({
            attempt: (b % 1000) * 100 + s,
            job: 1000 + k * 20 + s,
            step: ["stage-3", "evaluate", "search", "train"][b % 4],
            kind: ["stage", "evaluate", "search", "train"][b % 4],
            experiment: b % 3 === 0 ? "sweep" : "curriculum-budget",
            start_ms: start,
            end_ms: running ? null : end,
            outcome: running ? "RUNNING" : x < 0.03 ? "OOM" : x < 0.05 ? "LOST" : x < 0.06 ? "DIVERGED" : "DONE",
            text: x < 0.03 ? "out of memory: wanted 512 MiB" : x < 0.05 ? "worker silent for 30 s" : null,
          });
        }
        return list;
      });
      return { id: w.id, name: w.name, host: w.host, slots: w.slots, lanes, busy: w.busy, bins: null };
    }),
  };
}
function jobRow(id) {
  const state = ["FAILED", "WAITING", "DONE", "RUNNING"][id % 4];
  return {
    id,
    key: createHash("sha256").update(String(id)).digest("hex"),
    step: "stage-2",
    kind: "stage",
    state,
    running: id % 4 === 3,
    priority: 5,
    tries: 2,
    losses: 1,
    retries: 2,
    attempts: 2,
    attempt: 5042,
    outcome: id % 4 === 0 ? "OOM" : null,
    worker: "borealis-3",
    seconds: 61.4,
    runs: [3000004, 3000009],
    what: "schedule=exponential seed=2",
    text: id % 4 === 0 ? "out of memory: wanted 512 MiB, limit 2048 MiB; lower `batch` or raise `memory`" : null,
  };
}
function job(id) {
  const row = jobRow(id);
  const attempt = (n, worker, outcome, text, from, to) => ({
    attempt: n,
    epoch: 1,
    outcome,
    started_ms: Date.now() - from,
    ended_ms: to === null ? null : Date.now() - to,
    seconds: to === null ? null : (from - to) / 1000,
    cpu_seconds: 50,
    text,
    environment: "drover 0.9.0; kernels v4",
    worker,
    host: worker.split("-")[0],
    slots: 4,
    threads: 2,
  });
  return {
    version: 1,
    job: {
      ...row,
      id: undefined,
      job: id,
      params: 'batch = 64\nlearning_rate = 2.58e-05\nschedule = "exponential"\nnote = "' + HOSTILE + '"\n',
      submitted_ms: started - 4e6,
      seed: 2,
    },
    inputs: [{ name: "model", blob: "7a3f" }],
    outputs: row.state === "DONE" ? [{ name: "checkpoint", blob: "91bc", bytes: 1234567 }] : [],
    needs: [{ job: id - 1, step: "stage-1", kind: "stage", state: id % 4 === 1 ? "RUNNING" : "DONE" }],
    attempts: [
      ...(row.state === "WAITING"
        ? []
        : [
            attempt(
              5042,
              "borealis-3",
              row.state === "FAILED" ? "OOM" : row.state,
              row.text,
              90000,
              row.running ? null : 30000,
            ),
          ]),
      attempt(5001, "atlas-1", "LOST", "silent for 30 s", 390000, 300000),
    ],
    runs: row.runs.map((run) => ({ run, step: "stage-2", seed: 2, experiment: "curriculum-budget", experiment_id: 3 })),
    families: [],
    coordinator: null,
    running: row.running ? { worker: "borealis-3", seconds: 90, done: 1200, total: 2000, what: "steps" } : null,
    log: {
      attempt: 5042,
      bytes: 9000,
      text:
        Array.from(
          { length: 120 },
          (_, k) =>
            `step ${k + 1}  loss ${(3 - k / 60).toFixed(3)}  reward ${(k / 300).toFixed(3)}${k === 50 ? "  " + HOSTILE : ""}`,
        ).join("\n") + "\nerror: out of memory: wanted 512 MiB, limit 2048 MiB\n",
    },
    why:
      row.state === "WAITING"
        ? {
            version: 1,
            job: id,
            rules: [
              { rule: "needs", text: `waits for job ${id - 1} (stage-1), which is running on borealis-3` },
              { rule: "order", text: "131 jobs of higher priority go first" },
            ],
          }
        : null,
  };
}
function jobs(e, q) {
  const from = Number(q.get("after") ?? 0);
  let all = Array.from({ length: Math.min(e.jobs, 3000) }, (_, k) => ({
    ...jobRow(1000 + k),
    step: STEPS[e.kind][k % STEPS[e.kind].length][0],
    kind: STEPS[e.kind][k % STEPS[e.kind].length][1],
  }));
  if (q.get("step")) all = all.filter((j) => j.step === q.get("step"));
  if (q.get("state")) all = all.filter((j) => j.state.toLowerCase() === q.get("state"));
  const limit = Number(q.get("limit") ?? 100);
  return {
    version: 1,
    jobs: all.slice(from, from + limit),
    next: from + limit < all.length ? String(from + limit) : null,
  };
}
const SCHEMA = {
  version: 1,
  views: [
    ["accuracy", ["experiment", "run", "seed", "step", "method", "task", "level", "split", "n", "accuracy"]],
    ["curriculum", ["experiment", "run", "stage", "budget", "accuracy"]],
    ["routing", ["label", "layer", "choice"]],
  ].map(([name, columns]) => ({
    name,
    about: `one row per ${name} of a run, with a rather long explanation of what it is good for`,
    columns: columns.map((c) => ({
      name: c,
      type: /accuracy/.test(c) ? "real" : "text",
      about: `${c} of the ${name}`,
    })),
  })),
  tables: [
    ["experiment", ["id", "name", "submitted_ms"]],
    ["run", ["id", "experiment", "params"]],
    ["job", ["id", "key", "step", "kind", "state"]],
    ["attempt", ["id", "job", "worker", "outcome", "text"]],
    ["label", ["id", "example", "routing", "layers"]],
  ].map(([name, columns]) => ({
    name,
    about: `one ${name}`,
    columns: columns.map((c, j) => ({ name: c, type: j === 0 ? "INTEGER" : "TEXT", about: null })),
  })),
};
function query(body) {
  if (/insert|update|delete|drop/i.test(body.sql))
    throw Object.assign(new Error("only reading is allowed here; use SELECT"), { status: 400, code: "invalid" });
  if (/recursive/i.test(body.sql))
    throw Object.assign(new Error("the query ran longer than 5 s; add a LIMIT or a WHERE"), {
      status: 503,
      code: "timeout",
    });
  const n = Number(/limit\s+(\d+)/i.exec(body.sql)?.[1] ?? 1000);
  return {
    version: 1,
    columns: ["schedule", "step", "accuracy", "tokens", "note"],
    rows: Array.from({ length: Math.min(n, body.rows ?? 1000) }, (_, k) => [
      SCHEDULES[k % 5],
      Math.floor(k / 5),
      0.5 + 0.3 * (1 - Math.exp(-k / 100)) + 0.02 * normal(k),
      Math.round(20 + 40 * hash(k)),
      k % 9 === 4 ? HOSTILE : null,
    ]),
    kinds: ["text", "number", "number", "number", "text"],
    n: 1000,
    truncated: n > (body.rows ?? 1000),
    why: n > (body.rows ?? 1000) ? "cut at " + body.rows + " rows" : null,
    ms: 12.4,
  };
}
function run(id) {
  const e = EXPERIMENTS.find((x) => x.id === Math.floor(id / 1000000)) ?? EXPERIMENTS[0];
  const g = grid(e);
  const row = g.rows[(id % 1000000) - 1] ?? g.rows[0];
  const of = (kind) =>
    Object.fromEntries(
      g.columns
        .map((c, k) => [c, row.values[k]])
        .filter(([c]) => c[1] === kind)
        .map(([c, v]) => [c[0], v]),
    );
  return {
    version: 1,
    run: { id, experiment: e.id, name: e.name, state: row.values[g.columns.findIndex((c) => c[0] === "state")] },
    params: of("param"),
    measures: of("measure"),
    jobs: STEPS[e.kind].map(([step, kind], k) => ({
      id: 1000 + k,
      step,
      kind,
      state: ["done", "done", "failed", "skipped", "waiting"][k % 5],
      seconds: 40,
    })),
    results: [
      { task: "math", level: 3, split: "test", n: 640, accuracy: 0.71, lo: 0.67, hi: 0.75, tokens: 24.5 },
      { task: "logic", level: 1, split: "test", n: 320, accuracy: 0.88, lo: 0.84, hi: 0.92, tokens: 18.1 },
    ],
  };
}
const TABLE_HEADS = [
  { head: "Schedule", above: [], key: true },
  {
    head: "mean %",
    above: ["Accuracy"],
    key: false,
    step: "",
    stat: "accuracy",
    scale: 100,
    digits: 1,
    better: "higher",
  },
  { head: "mean", above: ["Tokens"], key: false, step: "", stat: "tokens", scale: 1, digits: 1, better: "lower" },
];
function tables(q) {
  const list = ["Accuracy by schedule", "The same, on the test split"].map((title, k) => ({ number: k + 1, title }));
  if (q.get("titles")) return { version: 1, format: "json", of: 2, tables: list, errors: [] };
  const only = Number(q.get("only") ?? 1);
  if (q.get("format"))
    return {
      version: 1,
      format: q.get("format"),
      of: 2,
      tables: [{ ...list[only - 1], text: "exponential & 71.7 \\\\\n" }],
      text: "exponential & 71.7 \\\\\n",
      errors: [],
    };
  const cell = (text, value, best) => ({
    text,
    value,
    ci: null,
    stderr: 0.01,
    sd: null,
    n: 640,
    seeds: 5,
    seeds_wanted: 5,
    seeds_diverged: 0,
    unequal: false,
    best,
    second: false,
    baseline: false,
    comparison: null,
  });
  const rows = SCHEDULES.map((s) => ({
    total: false,
    cells: [
      { text: s },
      cell(`${(52 + 100 * LIFT[s]).toFixed(1)} ± 0.8`, 0.52 + LIFT[s], s === "exponential"),
      cell("24.1", 24.1, false),
    ],
  }));
  return {
    version: 1,
    format: "json",
    of: 2,
    tables: [
      {
        ...list[only - 1],
        caption: null,
        label: null,
        columns: TABLE_HEADS,
        rows,
        notes: ["t intervals over 5 seeds"],
        footer: [],
      },
    ],
    errors: [],
  };
}

function answer(path, q, body) {
  const file = join(root, "mock", path.replace(/\//g, "~") + ".json");
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8"));
  const p = path.split("/");
  if (path === "overview") return overview();
  if (path === "version") return { version: 1, drover: "0.9.0", schema: 12, page: "mock" };
  if (path === "schema") return SCHEMA;
  if (path === "query") return query(body);
  if (path === "workers/timeline") return timeline(q);
  const id = Number(p[1]);
  if (p[0] === "jobs" && p.length === 2) return job(id);
  if (p[0] === "runs" && p.length === 2) return run(id);
  if (p[0] === "labels" && p.length === 2) return labelPage(id);
  const e = EXPERIMENTS.find((x) => x.id === id);
  if (p[0] !== "experiments" || e === undefined)
    throw Object.assign(new Error(`there is no ${path}; the overview lists what there is`), {
      status: 404,
      code: "not_found",
    });
  switch (p.slice(2).join("/")) {
    case "":
      return doc(e);
    case "recipe":
      return {
        version: 1,
        text: `# a recipe\n[experiment]\nname = "${e.name}"\n\n[params]\nschedule = ["fixed", "linear", "exponential", "cosine"]\nseed = [0, 1, 2, 3, 4]\n`,
      };
    case "runs":
      return runs(e, q);
    case "curves":
      return curves(e, q);
    case "pareto":
      return pareto(e, q);
    case "compare":
      return compare(e, q);
    case "curriculum":
      return curriculum();
    case "graph":
      return {
        version: 1,
        nodes: doc(e).steps,
        edges: STEPS[e.kind].flatMap(([step, , needs]) => needs.map((n) => [n, step])),
      };
    case "jobs":
      return jobs(e, q);
    case "failures":
      return failures(e);
    case "labels":
      return labels(q);
    case "examples": {
      const from = Number(q.get("after") ?? 0);
      return {
        version: 1,
        examples: Array.from({ length: 50 }, (_, k) => example(from + k + 1)),
        matched: 2400,
        next: from < 2350 ? String(from + 50) : null,
      };
    }
    case "tables":
      return tables(q);
    case "tables/cell":
      return {
        version: 1,
        runs: [
          { run: 3000003, value: 0.71, seed: 0 },
          { run: 3000008, value: 0.73, seed: 1 },
        ],
      };
    default:
      throw Object.assign(new Error(`there is no ${path}`), { status: 404, code: "not_found" });
  }
}

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css" };
const HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
};

createServer(async (req, res) => {
  const url = new URL(req.url, "http://x");
  const send = (status, type, bytes, more = {}) => {
    const zip = bytes.length > 1000 && (req.headers["accept-encoding"] ?? "").includes("gzip");
    res.writeHead(status, {
      ...HEADERS,
      "Content-Type": type,
      ...(zip ? { "Content-Encoding": "gzip" } : {}),
      ...more,
    });
    res.end(zip ? gzipSync(bytes, { level: 1 }) : bytes);
  };
  if (!url.pathname.startsWith("/api/v1/")) {
    const file = join(root, "dist", url.pathname === "/" ? "index.html" : url.pathname.replace(/\.\./g, ""));
    if (existsSync(file)) send(200, TYPES[extname(file)] ?? "application/octet-stream", readFileSync(file));
    else send(404, "text/plain", Buffer.from("not found"));
    return;
  }
  if (process.env.API) {
    const to = new URL(url.pathname + url.search, process.env.API);
    const headers = { ...req.headers, host: to.host };
    delete headers.origin;
    const ask = request(to, { method: req.method, headers }, (got) => {
      res.writeHead(got.statusCode, got.headers);
      got.pipe(res);
    });
    ask.on("error", () => res.destroy());
    res.on("close", () => ask.destroy());
    req.pipe(ask);
    return;
  }
  const path = url.pathname.slice(8);
  if (path === "events") {
    res.writeHead(200, { ...HEADERS, "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    const say = () => res.write(`event: change\ndata: {"change":${change()}}\n\n`);
    say();
    const timer = setInterval(say, 2000);
    req.on("close", () => clearInterval(timer));
    return;
  }
  let text = "";
  for await (const piece of req) text += piece;
  if (mood === "slow") await new Promise((done) => setTimeout(done, 1500));
  try {
    if (mood === "broken" && Math.random() < 0.3)
      throw Object.assign(new Error("the store is busy; try again in a moment"), { status: 503, code: "timeout" });
    const bytes = Buffer.from(JSON.stringify(answer(path, url.searchParams, text ? JSON.parse(text) : null)));
    const etag = '"' + createHash("sha256").update(bytes).digest("hex").slice(0, 16) + '"';
    if (req.headers["if-none-match"] === etag) {
      res.writeHead(304, { ...HEADERS, ETag: etag });
      res.end();
    } else send(200, "application/json", bytes, { ETag: etag });
  } catch (error) {
    send(
      error.status ?? 500,
      "application/json",
      Buffer.from(JSON.stringify({ version: 1, error: { code: error.code ?? "internal", text: error.message } })),
    );
  }
}).listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}/`));
