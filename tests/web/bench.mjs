// SPDX-License-Identifier: Apache-2.0
// bench.mjs URL [--short] [--part NAME]: the figures of the page, in a real Chromium, one JSON object per line:
// {"name","value","unit","min","max","n"}. The dashboard at URL shows a store that drover-make-store made. Parts: paint, table, curve.
// Times are taken in the page: from the event of the click or key to the frame after the one that shows the answer.
import { browser, newPage, settled } from "./lib/browser.mjs";
import { sleep, until } from "./lib/programs.mjs";

const args = process.argv.slice(2);
const url = args.find((a) => a.startsWith("http"));
const short = args.includes("--short");
const part = args.includes("--part") ? args[args.indexOf("--part") + 1] : "all";

const order = (values) => values.slice().sort((a, b) => a - b);
const median = (values) => order(values)[Math.floor(values.length / 2)];
const p95 = (values) => order(values)[Math.max(0, Math.ceil(values.length * 0.95) - 1)];

function figure(name, unit, value, values) {
  console.log(JSON.stringify({ name, value, unit, min: Math.min(...values), max: Math.max(...values), n: values.length }));
}
const note = (text) => console.log(JSON.stringify({ note: text }));

const api = async (path) => (await fetch(`${url}/api/v1/${path}`)).json();

/** What is known in the page: conditions by name (the content security policy lets no text become code there), and
 * window.__timer(type, done) resolves to ms from the next event of TYPE to the frame behind the one in which DONE holds. */
async function arm(page) {
  await page.addInitScript({ content: `window.__shown = { ${Object.entries(CONDITIONS).map(([name, fn]) => `${name}: ${fn}`).join(", ")} };` });
  await page.addInitScript(() => {
    window.__timer = (type, done, limit = 30000) =>
      new Promise((resolve, reject) => {
        let from = null;
        window.addEventListener(type, (event) => { from = event.timeStamp; }, { capture: true, once: true });
        const begin = performance.now();
        const look = () => {
          if (performance.now() - begin > limit) reject(new Error("it was never shown"));
          else if (from !== null && done()) requestAnimationFrame(() => resolve(performance.now() - from));
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      });
  });
}

/** Start a timer with the condition of that name; returns a function that waits for it. */
async function timer(page, type, condition, arg) {
  await page.evaluate(
    ({ type, condition, arg }) => {
      window.__pending = window.__timer(type, () => window.__shown[condition](arg));
      window.__pending.catch(() => {});
    },
    { type, condition, arg },
  );
  return async () => {
    try {
      return await page.evaluate(() => window.__pending);
    } catch (error) {
      throw new Error(`${condition} ${JSON.stringify(arg)}: ${error.message.split("\n")[0]} (${page.url()})`);
    }
  };
}

// ---- from nothing to what was asked for ----

async function firstPaint(web, hash, condition) {
  const page = await newPage(web);
  await arm(page);
  await page.addInitScript((condition) => {
    window.__bytes = () => performance.getEntriesByType("navigation").concat(performance.getEntriesByType("resource")).filter((e) => !e.name.includes("/api/")).reduce((sum, e) => sum + e.encodedBodySize, 0);
    const look = () => {
      if (window.__shown[condition]()) requestAnimationFrame(() => { window.__painted = performance.now(); });
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, condition);
  await page.goto(`${url}/${hash}`);
  const painted = await page.waitForFunction(() => window.__painted, null, { timeout: 60000, polling: 20 });
  const ms = await painted.jsonValue();
  const bytes = await page.evaluate(() => window.__bytes());
  const complaints = page.complaints;
  await page.context().close();
  if (complaints.length > 0) note(`the page complains: ${complaints[0]}`);
  return { ms, bytes };
}

const overviewShown = () => document.querySelector("main a.experiment-link") !== null;
const runsShown = () => document.querySelector('main table[role="grid"][aria-busy="false"] tbody tr[aria-rowindex]:not(.gap) td') !== null;

async function paint(web) {
  const n = short ? 3 : 9;
  const places = [["overview", "#/", "overview"], ["experiment", "#/experiments/1/runs", "runs"]];
  const worst = [];
  let bytes = 0;
  const cold = [];
  for (const [, hash, shown] of places) cold.push((await firstPaint(web, hash, shown)).ms);
  figure("web.first_paint_cold_ms", "ms", Math.max(...cold), cold);
  const start = Date.now();
  await until(async () => (await api("experiments/1/runs?limit=1")).ready !== false, "the grid is filled", 300);
  note(`the grid was filled ${((Date.now() - start) / 1000).toFixed(1)} s later`);
  for (const [name, hash, shown] of places) {
    const values = [];
    for (let k = 0; k < n; k++) {
      const one = await firstPaint(web, hash, shown);
      values.push(one.ms);
      bytes = Math.max(bytes, one.bytes);
    }
    figure(`web.first_paint.${name}_ms`, "ms", median(values), values);
    worst.push({ value: median(values), values });
  }
  worst.sort((a, b) => b.value - a.value);
  figure("web.first_paint_ms", "ms", worst[0].value, worst[0].values);
  figure("web.bundle_kb", "kB", bytes / 1000, [bytes / 1000]);
}

// ---- sort, filter, page ----

const tableShown = (arg) => {
  const table = document.querySelector('main table[role="grid"]');
  if (table === null || table.getAttribute("aria-busy") === "true") return false;
  if (arg.filters !== undefined && document.querySelectorAll("main .chip").length !== arg.filters) return false;
  if (arg.sort !== undefined) {
    const head = [...table.querySelectorAll("th")].find((th) => th.querySelector(".sort-name")?.textContent === arg.title);
    if (head?.getAttribute("aria-sort") !== arg.sort) return false;
  }
  if (arg.beyond !== undefined) {
    const box = table.parentElement.getBoundingClientRect();
    const inside = [...table.querySelectorAll("tbody tr[aria-rowindex]")].filter((r) => { const b = r.getBoundingClientRect(); return b.bottom > box.top + 40 && b.top < box.bottom - 10; });
    if (inside.length < 5 || inside.some((r) => r.classList.contains("gap"))) return false;
    return Number(inside.at(-1).getAttribute("aria-rowindex")) > arg.beyond;
  }
  return table.querySelector("tbody tr[aria-rowindex]:not(.gap) td") !== null || document.querySelector("main .table-count")?.textContent.trim().startsWith("0 ");
};

/** A condition on COLUMN that some of its rows meet. */
function conditionOn(column, k) {
  if (column.type === "number" && column.min !== null && column.max !== null && column.min !== undefined) {
    const at = column.min + (column.max - column.min) * [0.35, 0.6, 0.8][k % 3];
    return `${column.name} ${k % 2 === 0 ? ">" : "<="} ${Number.isInteger(column.min) && Number.isInteger(column.max) ? Math.round(at) : at.toPrecision(3)}`;
  }
  const value = column.values?.[k % Math.max(1, column.values.length)]?.value;
  return value === undefined || value === null ? null : `${column.name} = ${value}`;
}

async function showAllColumns(page) {
  const open = page.getByRole("button", { name: /^Columns/ }).first();
  await open.click();
  const boxes = page.locator(".chooser-list input:not([disabled])");
  for (let k = 0; k < (await boxes.count()); k++) await boxes.nth(k).setChecked(true);
  await page.keyboard.press("Escape");
  await settled(page);
}

async function table(web) {
  const page = await newPage(web);
  await arm(page);
  await page.goto(`${url}/#/experiments/1/runs`);
  await settled(page, { timeout: 60000 });
  await showAllColumns(page);
  const columns = (await api("experiments/1")).columns;
  const samples = { sort: [], filter: [], page: [], both: [] };
  const field = page.locator("main [data-filter]").first();
  const heads = page.locator('main table[role="grid"] th button.sort');
  const titles = await heads.locator(".sort-name").allInnerTexts();

  const clear = async () => {
    for (;;) {
      const chip = page.locator("main .chip-remove").first();
      if ((await chip.count()) === 0) break;
      await chip.click();
    }
    await settled(page, { quiet: 50 });
  };
  const sortBy = async (k, into) => {
    const head = heads.nth(k);
    const title = (await head.locator(".sort-name").textContent()) ?? "";
    await head.scrollIntoViewIfNeeded();
    const now = await head.locator("xpath=..").getAttribute("aria-sort");
    const wanted = now === "ascending" ? "descending" : now === "descending" ? "ascending" : null;
    const wait = await timer(page, "pointerdown", wanted === null ? "sorted" : "table", { title, sort: wanted ?? undefined });
    await head.click();
    into.push(await wait());
  };
  const filterBy = async (text, into) => {
    const before = await page.locator("main .chip").count();
    await field.fill(text);
    const wait = await timer(page, "keydown", "table", { filters: before + 1 });
    await field.press("Enter");
    const wrong = page.locator("main .field-wrong");
    if ((await wrong.count()) > 0) {
      note(`the filter "${text}" is refused: ${await wrong.first().innerText()}`);
      await field.fill("");
      return false;
    }
    into.push(await wait());
    return true;
  };

  for (let k = 0; k < titles.length; k++) {
    await sortBy(k, samples.sort);
    if (!short) await sortBy(k, samples.sort);
  }
  for (const [k, column] of columns.entries()) {
    const text = short && k % 2 === 1 ? null : conditionOn(column, k);
    if (text === null || !(await filterBy(text, samples.filter))) continue;
    if (titles.length > 0) await sortBy((7 * k) % titles.length, samples.both);
    await clear();
  }
  // As the scroll bar is dragged: three screens on, to rows that were never asked for.
  for (let k = 0; k < (short ? 4 : 12); k++) {
    await settled(page, { quiet: 50 });
    const beyond = Number(await page.locator('main table[role="grid"] tbody tr[aria-rowindex]').last().getAttribute("aria-rowindex"));
    const wait = await timer(page, "scroll", "table", { beyond });
    await page.evaluate(() => {
      const box = document.querySelector('main table[role="grid"]').parentElement;
      box.scrollTop += 3 * box.clientHeight;
    });
    samples.page.push(await wait());
  }
  const all = Object.values(samples).flat();
  for (const [name, values] of Object.entries(samples)) if (values.length > 0) figure(`web.${name}.p95_ms`, "ms", p95(values), values);
  figure("web.sort_filter_page.p95_ms", "ms", p95(all), all);
  if (all.length < 60 && !short) note(`only ${all.length} samples`);
  if (page.complaints.length > 0) note(`the page complains: ${page.complaints[0]}`);
  await page.context().close();
}

const tableSortedAnyWay = (arg) => {
  const grid = document.querySelector('main table[role="grid"]');
  if (grid === null || grid.getAttribute("aria-busy") === "true") return false;
  const head = [...grid.querySelectorAll("th")].find((th) => th.querySelector(".sort-name")?.textContent === arg.title);
  const none = document.querySelector("main .table-count")?.textContent.trim().startsWith("0 ");
  return /scending/.test(head?.getAttribute("aria-sort") ?? "") && (none || grid.querySelector("tbody tr[aria-rowindex]:not(.gap) td") !== null);
};

// ---- a curve of a million points ----

const curveShown = (arg) => {
  const entry = performance.getEntriesByType("resource").filter((e) => e.name.includes("/curves") && e.name.includes(arg.model) && e.responseEnd > 0).at(-1);
  if (entry === undefined || document.querySelector('main [aria-busy="true"]') !== null) return false;
  const canvas = document.querySelector("main .uplot canvas, main canvas");
  if (canvas === null || canvas.width === 0) return false;
  const bits = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let n = 0;
  for (let k = 3; k < bits.length; k += 4 * 97) n += bits[k] > 0;
  return n > 20;
};

async function curve(web) {
  const page = await newPage(web);
  await arm(page);
  await page.goto(`${url}/#/experiments/1/runs`);
  await settled(page, { timeout: 60000 });
  const models = ((await api("experiments/1")).columns.find((c) => c.name === "model")?.values ?? []).map((v) => String(v.value)).filter((v) => /^long-/.test(v)).sort();
  const values = [];
  for (const model of models.slice(0, short ? 2 : 20)) {
    const answer = await (await fetch(`${url}/api/v1/experiments/1/curves?metric=reward&filter=model~eq~${model}&points=2`)).json().catch(() => ({}));
    if (answer.points_total !== undefined && answer.points_total < 1000000) continue; // the last model may have fewer runs
    await page.evaluate(() => { location.hash = "#/experiments/1/runs"; });
    await settled(page, { timeout: 60000 });
    const wait = await timer(page, "hashchange", "curve", { model });
    await page.evaluate((model) => { location.hash = `#/experiments/1/curves?metric=reward&by=schedule&filter=model~eq~${model}`; }, model);
    values.push(await wait());
    await sleep(100);
  }
  if (values.length === 0) note("no curve of a million points is in this store");
  else figure("web.curve_1m_points_ms", "ms", median(values), values);
  if (page.complaints.length > 0) note(`the page complains: ${page.complaints[0]}`);
  await page.context().close();
}

const CONDITIONS = { overview: overviewShown, runs: runsShown, table: tableShown, sorted: tableSortedAnyWay, curve: curveShown };

const PARTS = { paint, table, curve };
const web = await browser();
try {
  for (const [name, measure] of Object.entries(PARTS)) {
    if (part !== "all" && part !== name) continue;
    try {
      await measure(web);
    } catch (error) {
      note(`${name}: ${error.message}`); // what it would have given is missing: that counts as missed
      process.exitCode = 1;
    }
  }
} finally {
  await web.close();
}
