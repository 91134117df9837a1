// SPDX-License-Identifier: Apache-2.0
// Goal: who has never seen the page finds from the overview, in at most three clicks each, which runs failed and why, which schedule
// wins and by how much, and which layers the labels skip. Method: a generated sweep of which the answers are known by SQL; only words
// that are on the screen are clicked.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, newPage, settled, shot } from "./lib/browser.mjs";
import { dashboard, rows, run, scratch } from "./lib/programs.mjs";

let store, board, web;

before(async () => {
  store = join(scratch(), "sweep.db");
  run("drover-make-store", ["--out", store, "--runs", "2000", "--quiet", "--end-ms", "now"]);
  board = await dashboard(store);
  web = await browser();
});
after(async () => {
  await web?.close();
});

/** A walk that counts its clicks and begins at the overview. */
async function walk() {
  const page = await newPage(web);
  await page.goto(board.url);
  await settled(page);
  let clicks = 0;
  return {
    page,
    clicks: () => clicks,
    async click(role, name) {
      clicks++;
      const target = page.getByRole(role, { name }).filter({ visible: true }).first();
      await target.click();
      await settled(page);
    },
    text: () => page.locator("main").innerText(),
    async end(name) {
      await shot(page, `path-${name}`);
      assert.deepEqual(page.complaints, []);
      assert.ok(clicks <= 3, `${clicks} clicks`);
      await page.context().close();
    },
  };
}

test("which runs failed and why", async () => {
  const w = await walk();
  await w.click("link", "generated/sweep");
  await w.click("link", /^Failures/);
  const text = await w.text();
  const groups = rows(store, `select attempt.text as text, count(distinct job.id) as jobs from job join attempt on attempt.job = job.id
    where job.state = 'FAILED' and attempt.epoch = job.epoch group by job.step, 1`);
  assert.ok(groups.length >= 3);
  for (const group of groups) {
    assert.ok(text.includes(group.text), `the reason is not shown: ${group.text}`);
    assert.ok(new RegExp(`\\b${group.jobs}\\b`).test(text.replaceAll(",", "")), `how many is not shown: ${group.jobs} ${group.text}`);
  }
  // Which: a run that failed so is named, and can be opened.
  const failed = new Set(rows(store, "select run from run_summary where failed > 0").map((r) => r.run));
  const links = await w.page.locator('main a[href*="#/runs/"], main a[href*="/jobs/"]').evaluateAll((all) => all.map((a) => a.getAttribute("href")));
  const runs = links.filter((href) => href.includes("/runs/")).map((href) => Number(/runs\/(\d+)/.exec(href)?.[1]));
  assert.ok(runs.some((id) => failed.has(id)), "no failed run is named");
  await w.end("failed");
});

test("which schedule wins and by how much", async () => {
  const w = await walk();
  await w.click("link", "generated/sweep");
  await w.click("link", /^Compare/);
  let text = await w.text();
  if (!/exponential[^\n]*\+\s?\d/.test(text)) {
    await w.click("button", /^schedule/).catch(() => w.click("link", /^schedule/));
    text = await w.text();
  }
  assert.match(text, /exponential[^\n]*[+]\s?\d+(\.\d+)? points/, "the winner and by how much");
  // And it is so: the means of the schedules, from the rows.
  const [best] = rows(store, `select param.value as schedule, avg(accuracy) as mean from param join run_summary using (run) join run on run.id = run
    where param.name = 'schedule' and run.superseded = 0 group by 1 order by 2 desc limit 1`);
  assert.equal(best.schedule, '"exponential"');
  await w.end("schedule");
});

test("which layers the labels skip", async () => {
  const w = await walk();
  await w.click("link", "generated/sweep");
  await w.click("link", /^Labels/);
  const layers = Array.from({ length: 28 }, (_, l) => `sum(substr(routing, ${l + 1}, 1) = '0') as l${l}`).join(", ");
  const [skips] = rows(store, `select ${layers} from label where has_label = 1`);
  const most = Object.entries(skips).sort((a, b) => b[1] - a[1])[0][0].slice(1);
  const text = await w.text();
  assert.match(text, new RegExp(`layers? ${most}\\b[^\\n]*skipped most`, "i"), `layer ${most} is not said to be skipped most`);
  await w.end("layers");
});
