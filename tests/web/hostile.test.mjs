// SPDX-License-Identifier: Apache-2.0
// Goal: text that people or programs wrote is shown as text, whatever it holds. Method: a store in which names, parameters, questions,
// answers, errors, logs and hosts are HTML that would run a script; every view is opened, and no script ran, no element of theirs is
// there, while their text is seen.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, newPage, settled, shot } from "./lib/browser.mjs";
import { dashboard, rows, run, scratch } from "./lib/programs.mjs";

let store, board, web;

before(async () => {
  store = join(scratch(), "hostile.db");
  run("drover-make-store", ["--out", store, "--runs", "300", "--labels", "100", "--hostile", "--quiet"]);
  board = await dashboard(store);
  web = await browser();
});
after(async () => {
  await web?.close();
});

test("HTML in every text stays text", { timeout: 200000 }, async () => {
  const page = await newPage(web);
  const [job] = rows(store, "select id from job where state = 'FAILED' limit 1");
  const views = ["runs", "compare", "curves", "pareto", "curriculum", "labels", "examples", "tables", "graph", "jobs", "failures", "recipe"];
  const list = ["#/", "#/workers", "#/sql", "#/labels/1", `#/jobs/${job.id}`, "#/runs/1", ...views.map((v) => `#/experiments/1/${v}`)];
  let seen = 0;
  for (const hash of list) {
    await page.goto(`${board.url}/${hash}`);
    await settled(page);
    const found = await page.evaluate(() => ({
      pwned: window.pwned !== undefined,
      elements: document.querySelectorAll('img[src="x"], body script:not([src]), [onerror], [onclick]').length,
      text: document.body.innerText.includes("<img src=x onerror") || [...document.querySelectorAll("svg text, title, option, input")].some((e) => (e.textContent + (e.value ?? "")).includes("<img")),
    }));
    assert.ok(!found.pwned, `${hash}: a script ran`);
    assert.equal(found.elements, 0, `${hash}: an element of the text is in the page`);
    seen += found.text;
  }
  assert.ok(seen >= 8, `the text was seen in ${seen} views only: this proves little`);
  assert.deepEqual(page.complaints, []);
  await page.goto(`${board.url}/#/experiments/1/failures`);
  await settled(page);
  await shot(page, "hostile-failures");
  await page.context().close();
});

test("a filter of HTML, a place that is none", async () => {
  const page = await newPage(web);
  for (const hash of ["#/experiments/1/runs?filter=<img src=x onerror=window.pwned=1>", "#/<img src=x onerror=window.pwned=1>", "#/experiments/1/<svg onload=window.pwned=1>", "#/experiments/999999", "#/jobs/999999999"]) {
    await page.goto("about:blank");
    await page.goto(`${board.url}/${hash}`);
    await settled(page);
    assert.ok(!(await page.evaluate(() => window.pwned !== undefined)), hash);
    assert.ok((await page.locator("main").innerText()).trim().length > 0, `${hash}: says nothing`);
  }
  assert.deepEqual(page.complaints.filter((text) => !/40[04]/.test(text)), []);
  await page.context().close();
});
