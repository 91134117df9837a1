// SPDX-License-Identifier: Apache-2.0
// Goal: every view works on a store that real recipes fill, while they fill it and afterwards: no complaint of the browser, nothing
// that axe calls serious in light or dark, and the numbers that the page shows are the store's.
// Method: a coordinator and two workers run the quickstart, curriculum/main and dr_llm/in_domain at their smallest, and an experiment
// whose jobs fail; a page goes round the views meanwhile. Screenshots of each view are kept.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, newPage, settled, shot, violations } from "./lib/browser.mjs";
import { coordinator, dashboard, rows, run, scratch } from "./lib/programs.mjs";

const set = (...pairs) => pairs.flatMap((pair) => ["--set", pair]);
const QUICKSTART = ["quickstart", ...set("math_model.steps=60", "logic_model.steps=60", "math_model.batch=64", "math_test.examples=200", "logic_test.examples=200",
  "math_labels.examples=40", "logic_labels.examples=40", "math_base.examples=40", "logic_base.examples=40", "math_oracle.examples=40", "logic_oracle.examples=40")];
const CURRICULUM = ["curriculum/main", ...set("vars.levels=[1]", "vars.first=30", "vars.last=12", "vars.max_new=40", "vars.warm_steps=80", "vars.updates=24",
  "vars.interval=1", "vars.checked=10", "vars.check_every=4", "vars.test_examples=20", "train.problems=4", "train.group=4", "warm.layers=2", "warm.dim=32",
  "warm.heads=2", "warm.hidden=64", "warm.batch=64", "seed=1,2,3")];
const DR_LLM = ["dr_llm/in_domain", ...set("base.layers=4", "base.dim=32", "base.heads=2", "base.hidden=64", "base.steps=60", "base.batch=32", "base.warmup=5",
  "vars.levels=[1,2]", "seed=1", "vars.label_examples=20", "vars.family_examples=12", "vars.near_examples=6", "vars.test_examples=10",
  "vars.validation_examples=6", "vars.static_m4=1", "vars.static_m3=2", "vars.static_m2=3", "vars.static_m1=3", "labels.simulations=20",
  "oracle_search.simulations=20", "router.epochs=20", "success.epochs=4", "success.paths=8", "success.decide_layer=1")];
const FAILING = `name = "web/failing";
steps = (
  { id = "data"; job = "exec"; command = ["/bin/sh", "-c", "echo 'reading rows 1-100'; echo 'row 17 has no label; fix data.jsonl' >&2; exit 3"];
    retries = 1; seed = "run"; },
  { id = "train"; job = "noop"; points = 20; seed = "run"; }
);
sweep = ( { set = "seed"; values = [1, 2, 3]; }, { set = "train.schedule"; values = ["constant", "cosine"]; } );
`;

let store, web, farm, board;
const experiments = {};

before(async () => {
  store = join(scratch(), "real.db");
  farm = await coordinator(store);
  for (const name of ["anna", "berta"]) farm.worker(name, ["--allow-exec", "--allow-program", "/bin/sh"]);
  board = await dashboard(store);
  web = await browser();
});
after(async () => {
  await web?.close();
});

function submit(args) {
  run("drover", ["submit", ...args, "--coordinator", farm.endpoint], { env: farm.env });
}

const count = (sql) => Object.values(rows(store, sql)[0])[0];

/** Views of an experiment: [name, what must be there]. */
const OF_EXPERIMENT = ["runs", "compare", "curves", "pareto", "curriculum", "labels", "examples", "tables", "graph", "jobs", "failures", "recipe"];

async function open(page, hash) {
  await page.goto(`${board.url}/${hash}`);
  await page.locator("main").waitFor();
}

test("views while the store is being written", { timeout: 400000 }, async () => {
  const page = await newPage(web);
  await open(page, "#/");
  await settled(page);
  await shot(page, "00-empty");
  submit(QUICKSTART);
  // It comes by itself: nobody reloads.
  await page.getByRole("link", { name: "quickstart" }).first().waitFor();
  submit(CURRICULUM);
  const failing = join(scratch(), "failing.cfg");
  writeFileSync(failing, FAILING);
  submit([failing]);
  submit(DR_LLM);
  for (const row of rows(store, "select id, name from experiment")) experiments[row.name] = row.id;
  assert.equal(Object.keys(experiments).length, 4);
  await page.getByRole("link", { name: "dr_llm/in_domain" }).first().waitFor();
  await settled(page);
  await shot(page, "01-overview-at-work");

  // Round and round until all is done.
  const left = () => count("select count(*) as n from job where state in ('READY', 'WAITING')");
  let rounds = 0;
  do {
    for (const hash of ["#/", "#/workers", "#/sql"]) {
      await open(page, hash);
      await settled(page);
    }
    for (const [name, id] of Object.entries(experiments)) {
      for (const view of OF_EXPERIMENT) {
        await open(page, `#/experiments/${id}/${view}`);
        await settled(page);
        assert.deepEqual(page.complaints, [], `${name} ${view}, at work`);
      }
    }
    if (rounds === 0) await shot(page, "02-recipe-at-work");
    rounds++;
  } while (left() > 0 && rounds < 40);
  assert.equal(left(), 0);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test("the overview's numbers are the store's", async () => {
  const page = await newPage(web);
  await open(page, "#/");
  await settled(page);
  for (const [name, id] of Object.entries(experiments)) {
    const answer = await (await fetch(`${board.url}/api/v1/overview`)).json();
    const one = answer.experiments.find((e) => e.id === id);
    const [truth] = rows(store, `select count(*) as runs from run where experiment = ${id} and superseded = 0`);
    const [jobs] = rows(store, `select count(*) as jobs, coalesce(sum(state = 'DONE'), 0) as done, coalesce(sum(state = 'FAILED'), 0) as failed
      from job where id in (select job from run_job join run on run.id = run where experiment = ${id} and live = 1)`);
    assert.equal(one.runs, truth.runs, name);
    assert.equal(one.jobs, jobs.jobs, name);
    assert.equal(one.done, jobs.done, name);
    assert.equal(one.failed, jobs.failed, name);
    await page.getByRole("link", { name }).first().waitFor();
  }
  await page.context().close();
});

const SHOTS = [
  ["overview", "#/"],
  ["workers", "#/workers"],
  ["sql", "#/sql"],
];

for (const scheme of ["light", "dark"]) {
  test(`every view, ${scheme}: nothing serious, a screenshot`, { timeout: 400000 }, async () => {
    const page = await newPage(web, { scheme });
    const [label] = rows(store, "select id from label where has_label = 1 order by id limit 1");
    const [job] = rows(store, "select id from job where state = 'FAILED' limit 1");
    const [one] = rows(store, `select min(id) as id from run where experiment = ${experiments["curriculum/main"]}`);
    const list = [...SHOTS, ["example", `#/labels/${label.id}`], ["job", `#/jobs/${job.id}`], ["run", `#/runs/${one.id}`]];
    for (const [name, id] of Object.entries(experiments))
      for (const view of OF_EXPERIMENT) list.push([`${name.replace(/\W+/g, "-")}-${view}`, `#/experiments/${id}/${view}`]);
    const wrong = [];
    for (const [name, hash] of list) {
      page.complaints.length = 0;
      await open(page, hash);
      await settled(page);
      await page.waitForTimeout(100);
      await shot(page, `${scheme}-${name}`);
      for (const text of [...(await violations(page)), ...page.complaints]) wrong.push(`${name}: ${text}`);
      if ((await page.locator("main").innerText()).includes("This view broke")) wrong.push(`${name}: it broke`);
    }
    await page.context().close();
    assert.deepEqual(wrong, []);
  });
}

test("a narrow window shows every view without sideways scrolling", async () => {
  const page = await newPage(web, { width: 420, height: 860 });
  const wrong = [];
  for (const hash of ["#/", "#/workers", "#/sql", ...OF_EXPERIMENT.map((view) => `#/experiments/${experiments["dr_llm/in_domain"]}/${view}`)]) {
    await open(page, hash);
    await settled(page);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (over > 1) wrong.push(`${hash}: ${over} pixels too wide`);
  }
  await shot(page, "narrow");
  await page.context().close();
  assert.deepEqual(wrong, []);
});

