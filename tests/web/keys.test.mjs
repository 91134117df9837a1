// SPDX-License-Identifier: Apache-2.0
// Goal: the page can be used without a mouse. Method: Tab goes round every view and meets every control that can be seen, each with a
// name and a visible ring; the shortcuts lead where the help says.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, newPage, settled, shot } from "./lib/browser.mjs";
import { dashboard, run, scratch, until } from "./lib/programs.mjs";

let board, web;

before(async () => {
  const store = join(scratch(), "keys.db");
  run("drover-make-store", ["--out", store, "--runs", "400", "--labels", "100", "--quiet"]);
  board = await dashboard(store);
  web = await browser();
});
after(async () => {
  await web?.close();
});

const VIEWS = ["#/", "#/workers", "#/sql", ...["runs", "compare", "curves", "pareto", "labels", "examples", "tables", "graph", "jobs", "failures", "recipe"].map((v) => `#/experiments/1/${v}`), "#/labels/1", "#/runs/1"];

test("Tab reaches every control, and shows where it is", { timeout: 200000 }, async () => {
  const page = await newPage(web);
  const wrong = [];
  for (const hash of VIEWS) {
    await page.goto("about:blank");
    await page.goto(`${board.url}/${hash}`);
    await settled(page);
    // Mark what must be reached. Radio buttons of a group and tabs with a roving tab stop count as one.
    const wanted = await page.evaluate(() => {
      const all = [...document.querySelectorAll("a[href], button, input, select, textarea, [tabindex]")].filter((e) => e.tabIndex >= 0 && !e.disabled && e.checkVisibility({ checkOpacity: false, checkVisibilityCSS: true }) && e.closest("[inert], dialog:not([open])") === null);
      const groups = new Set();
      let n = 0;
      for (const e of all) {
        if (e.type === "radio") {
          if (groups.has(e.name)) continue;
          groups.add(e.name);
        }
        e.dataset.wanted = String(n++);
      }
      return n;
    });
    const met = new Set();
    for (let k = 0; k < wanted + 40 && met.size < wanted; k++) {
      await page.keyboard.press("Tab");
      const here = await page.evaluate(() => {
        const e = document.activeElement;
        if (e === null || e === document.body) return null;
        const style = getComputedStyle(e);
        const group = e.type === "radio" ? document.querySelector(`input[type=radio][name="${e.name}"][data-wanted]`) : e;
        // A ring, the row that the arrows move, or (drawings) parts that look otherwise than without the focus.
        const looks = () => JSON.stringify([...e.querySelectorAll("*")].map((part) => { const s = getComputedStyle(part); return [s.stroke, s.strokeWidth, s.fill, s.outline]; }));
        let ring = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none" || e.hasAttribute("aria-activedescendant") || e.getAttribute("aria-rowcount") === "1";
        if (!ring && e.ownerSVGElement) {
          const now = looks();
          e.blur();
          ring = now !== looks();
          e.focus();
        }
        return { id: group?.dataset.wanted ?? null, ring, what: `${e.tagName.toLowerCase()}.${String(e.className?.baseVal ?? e.className).replaceAll(" ", ".")} "${(e.getAttribute("aria-label") ?? e.textContent ?? "").trim().slice(0, 40)}"` };
      });
      if (here === null) continue;
      if (here.id !== null) met.add(here.id);
      if (!here.ring) wrong.push(`${hash}: no ring on ${here.what}`);
    }
    if (met.size < wanted) {
      const missed = await page.evaluate((met) => [...document.querySelectorAll("[data-wanted]")].filter((e) => !met.includes(e.dataset.wanted)).slice(0, 5).map((e) => `${e.tagName.toLowerCase()}.${String(e.className?.baseVal ?? e.className)} "${(e.getAttribute("aria-label") ?? e.textContent ?? "").trim().slice(0, 40)}"`), [...met]);
      wrong.push(`${hash}: ${wanted - met.size} of ${wanted} controls are not reached: ${missed.join("; ")}`);
    }
  }
  await page.context().close();
  assert.deepEqual([...new Set(wrong)], []);
});

test("shortcuts", async () => {
  const page = await newPage(web);
  await page.goto(board.url);
  await settled(page);
  const at = (pattern) => until(() => pattern.test(new URL(page.url()).hash), () => `${pattern}, but ${page.url()}`, 5);
  await page.keyboard.press("g");
  await page.keyboard.press("w");
  await at(/^#\/workers/);
  await page.keyboard.press("g");
  await page.keyboard.press("s");
  await at(/^#\/sql/);
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("o");
  await at(/^(#\/?)?$/);
  await settled(page);
  await page.keyboard.press("g");
  await page.keyboard.press("e");
  await at(/^#\/experiments\/1/);
  await settled(page);
  await page.keyboard.press("?");
  const help = page.getByRole("dialog");
  await help.waitFor();
  assert.match(await help.innerText(), /overview/i);
  await shot(page, "help");
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "hidden" });
  await page.keyboard.press("/");
  assert.ok(await page.evaluate(() => document.activeElement?.hasAttribute("data-filter")), "/ goes to the filter");
  await page.keyboard.type("seed = 2");
  await page.keyboard.press("Enter");
  await until(() => /filter=/.test(page.url()), "the filter is in the address", 5);
  await page.keyboard.press("Escape");
  await settled(page);
  // Arrows move in the table, Enter opens the row.
  await page.getByRole("grid").first().focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await at(/runs\/\d+|run=\d+/);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});
