// SPDX-License-Identifier: Apache-2.0
// Goal: a page whose server is gone says so, keeps what it shows, and goes on by itself when the server is back, with what changed
// meanwhile. Method: the dashboard is killed and started again under an open page; the store changes while it is away.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser, newPage, settled, shot } from "./lib/browser.mjs";
import { coordinator, dashboard, run, scratch } from "./lib/programs.mjs";

const TINY = `name = "web/NAME";
steps = ( { id = "train"; job = "noop"; points = 4; seed = "run"; } );
sweep = ( { set = "seed"; values = [1, 2]; } );
`;
let store, board, web, farm;

before(async () => {
  store = join(scratch(), "away.db");
  farm = await coordinator(store);
  farm.worker("anna");
  await submit("first");
  board = await dashboard(store);
  web = await browser();
});
after(async () => {
  await web?.close();
});

async function submit(name) {
  const path = join(scratch(), `${name}.cfg`);
  const { writeFileSync } = await import("node:fs");
  writeFileSync(path, TINY.replace("NAME", name));
  run("drover", ["submit", path, "--coordinator", farm.endpoint], { env: farm.env });
}

test("offline is said, and it recovers", { timeout: 120000 }, async () => {
  const page = await newPage(web);
  await page.goto(board.url);
  await page.getByRole("link", { name: "web/first" }).first().waitFor();
  await page.getByRole("status").filter({ hasText: /^live/ }).first().waitFor();
  await board.stop();
  await page.getByText(/offline/).first().waitFor({ timeout: 20000 });
  await shot(page, "offline");
  assert.ok(await page.getByRole("link", { name: "web/first" }).first().isVisible(), "what was shown is gone");
  await submit("second");
  await board.start();
  await page.getByRole("link", { name: "web/second" }).first().waitFor({ timeout: 45000 });
  await page.getByRole("status").filter({ hasText: /^live/ }).first().waitFor({ timeout: 20000 });
  await settled(page);
  assert.equal(await page.getByText(/offline/).count(), 0);
  // Only what a dead server must cause was complained of.
  assert.deepEqual(page.complaints.filter((text) => !/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED|Failed to load resource|network error/i.test(text)), []);
  await page.context().close();
});
