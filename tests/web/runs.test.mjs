// SPDX-License-Identifier: Apache-2.0
// Goal: the table of runs tells what SQL tells: sorted by every column both ways, filtered by every kind of condition, page by page to
// the end. Method: 20,500 generated runs (more than are read at once), compared row by row over the API, and through the page.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, newPage, settled, shot } from "./lib/browser.mjs";
import { dashboard, rows, run, scratch, until } from "./lib/programs.mjs";

const RUNS = 20500;
let store, board, web, truth;

before(async () => {
  store = join(scratch(), "runs.db");
  run("drover-make-store", ["--out", store, "--runs", String(RUNS), "--labels", "1000", "--points", "0", "--quiet"]);
  board = await dashboard(store);
  const wide = rows(store, `select s.run, s.accuracy, s.base, s.oracle, s.layers, s.n, s.tokens, s.seconds, s.jobs, s.done, s.failed
    from run_summary s join run on run.id = s.run where run.superseded = 0`);
  // Without examples there are no tokens either.
  truth = new Map(wide.map((r) => [r.run, { ...r, tokens: r.n === 0 ? null : r.tokens }]));
  for (const p of rows(store, "select p.run, p.name, p.value from param p join run on run.id = p.run where run.superseded = 0 and run.id <= 12000"))
    truth.get(p.run)[p.name] = unquoted(p.value);
  for (const p of rows(store, "select p.run, p.name, p.value from param p join run on run.id = p.run where run.superseded = 0 and run.id > 12000"))
    truth.get(p.run)[p.name] = unquoted(p.value);
  await until(async () => (await ask("limit=1")).ready, "the grid is filled", 60);
  web = await browser();
});
after(async () => {
  await web?.close();
});

function unquoted(value) {
  const text = String(value);
  if (text.startsWith('"')) return JSON.parse(text);
  return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
}

async function ask(query) {
  const answer = await fetch(`${board.url}/api/v1/experiments/1/runs?${query}`);
  const body = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(body));
  return body;
}

/** All rows of a question, page by page. */
async function all(query, limit = 1000) {
  const found = [];
  let after = null, matched = null;
  do {
    const page = await ask(`${query}&limit=${limit}${after === null ? "" : `&after=${encodeURIComponent(after)}`}`);
    matched ??= page.matched;
    assert.equal(page.matched, matched);
    assert.ok(page.rows.length <= limit);
    found.push(...page.rows.map((row) => row.run));
    after = page.next;
  } while (after !== null);
  assert.equal(found.length, matched, `${query}: rows of all pages`);
  assert.equal(new Set(found).size, found.length, `${query}: a row came twice`);
  return found;
}

const COLUMNS = ["accuracy", "base", "oracle", "layers", "n", "tokens", "seconds", "failed", "model", "schedule", "train.lr", "train.batch", "seed", "router.windows", "search.exploration"];

for (const column of COLUMNS) {
  test(`sorted by ${column}, both ways`, async () => {
    for (const descending of [false, true]) {
      const order = await all(`sort=${descending ? "-" : ""}${encodeURIComponent(column)}`);
      assert.equal(order.length, truth.size);
      let before = undefined, empty = false;
      for (const id of order) {
        const value = truth.get(id)[column] ?? null;
        if (value === null) {
          empty = true;
          continue;
        }
        assert.ok(!empty, `${column}: run ${id} with a value comes after runs without one`);
        if (before !== undefined) assert.ok(descending ? before >= value : before <= value, `${column}: ${before} then ${value} (run ${id})`);
        before = value;
      }
    }
  });
}

const CONDITIONS = [
  ["accuracy~gt~0.6", (r) => r.accuracy !== null && r.accuracy > 0.6],
  ["accuracy~le~0.25", (r) => r.accuracy !== null && r.accuracy <= 0.25],
  ["schedule~eq~exponential", (r) => r.schedule === "exponential"],
  ["schedule~ne~exponential", (r) => r.schedule !== "exponential"],
  ["schedule~in~linear,cosine", (r) => ["linear", "cosine"].includes(r.schedule)],
  ["model~has~ee", (r) => r.model.includes("ee")],
  ["train.lr~lt~0.0001", (r) => r["train.lr"] < 0.0001],
  ["seed~eq~3", (r) => r.seed === 3],
  ["failed~ge~1", (r) => r.failed >= 1],
];

for (const [filter, holds] of CONDITIONS) {
  test(`filtered by ${filter}`, async () => {
    const found = await all(`sort=-accuracy&filter=${encodeURIComponent(filter)}`, 997);
    const wanted = [...truth.values()].filter(holds).map((r) => r.run);
    assert.ok(wanted.length > 0 && wanted.length < truth.size);
    assert.deepEqual(found.slice().sort((a, b) => a - b), wanted.slice().sort((a, b) => a - b));
  });
}

test("two filters and a sort, in the page", async () => {
  const page = await newPage(web);
  await page.goto(`${board.url}/#/experiments/1/runs`);
  await settled(page);
  const field = page.locator("main [data-filter]").first();
  await field.fill("schedule = exponential");
  await field.press("Enter");
  await field.fill("accuracy > 0.6");
  await field.press("Enter");
  const grid = page.getByRole("grid").first();
  const head = grid.getByRole("columnheader", { name: /^accuracy/i });
  await head.getByRole("button").click();
  await until(async () => (await head.getAttribute("aria-sort")) === "descending", "sorted by accuracy");
  await settled(page);
  const wanted = [...truth.values()].filter((r) => r.schedule === "exponential" && r.accuracy > 0.6);
  assert.match((await page.locator(".table-count").first().innerText()).replaceAll(/[,\s]/g, " ").replaceAll(/(\d) (?=\d)/g, "$1"), new RegExp(`\\b${wanted.length} of ${truth.size}\\b`));
  const names = await grid.getByRole("columnheader").allInnerTexts();
  const at = names.findIndex((name) => /^accuracy/i.test(name.trim()));
  const shown = await grid.locator("tbody tr[aria-rowindex]:not(.gap)").evaluateAll((all, k) => all.map((tr) => tr.children[k].innerText), at);
  assert.ok(shown.length > 10);
  const best = wanted.map((r) => r.accuracy).sort((a, b) => b - a).slice(0, shown.length);
  for (const [k, text] of shown.entries()) {
    const value = (text + names[at]).includes("%") ? Number(text.replace("%", "")) / 100 : Number(text);
    assert.ok(Math.abs(value - best[k]) < 0.006, `row ${k + 1}: ${text}, ${best[k]} in the store`);
  }
  await shot(page, "runs-filtered");
  // To the end of the list and back by the keyboard, again and again: any row is one question away.
  const ends = () => grid.evaluate((table) => {
    const drawn = [...table.querySelectorAll("tbody tr[aria-rowindex]:not(.gap)")];
    return [drawn[0], drawn.at(-1)].map((r) => Number(r?.getAttribute("aria-rowindex") ?? 0) - 1);
  });
  await grid.focus();
  for (let k = 0; k < 3; k++) {
    await page.keyboard.press("End");
    await until(async () => (await ends())[1] === wanted.length, `the last of ${wanted.length} rows`);
    await page.keyboard.press("Home");
    await until(async () => (await ends())[0] === 1, "the first row");
  }
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});
