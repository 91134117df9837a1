// SPDX-License-Identifier: Apache-2.0
// Chromium for tests: pages that remember every complaint, screenshots, axe.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const PATHS = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export function chromiumPath() {
  return PATHS.find((path) => path !== undefined && existsSync(path)) ?? null;
}

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions", "--mute-audio",
  // Headless pages are never in front: timers and frames must run as if they were.
  "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
];

/** A browser with a new, empty profile; close() ends it and removes the profile. */
export async function browser() {
  const { chromium } = require("playwright-core");
  const profile = mkdtempSync(join(process.env.TMPDIR ?? tmpdir(), "drover-chromium-"));
  const one = await chromium.launch({ executablePath: chromiumPath(), headless: true, args: FLAGS, timeout: 60000, env: { ...process.env, HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile } });
  const close = one.close.bind(one);
  one.close = async () => {
    await close();
    rmSync(profile, { recursive: true, force: true });
  };
  return one;
}

/** What a page may not say. */
const HARMLESS = [];

/** A page in a context of its own. page.complaints: console errors, exceptions, refused by the content security policy,
 * answers above 399. */
export async function newPage(of, { scheme = "light", width = 1440, height = 900, reducedMotion = "reduce" } = {}) {
  const context = await of.newContext({ colorScheme: scheme, viewport: { width, height }, reducedMotion, locale: "en-GB", timezoneId: "UTC" });
  const page = await context.newPage();
  page.setDefaultTimeout(15000);
  page.complaints = [];
  const complain = (text) => {
    if (!HARMLESS.some((one) => one.test(text))) page.complaints.push(text);
  };
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complain(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complain(`exception: ${error.stack ?? error.message}`));
  page.on("response", (answer) => {
    if (answer.status() >= 400) complain(`${answer.status()} ${answer.request().method()} ${answer.url()}`);
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  return page;
}

const SHOTS = process.env.SCREENSHOTS ?? new URL("../../../build/web-screenshots", import.meta.url).pathname;

export async function shot(page, name) {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

/** Serious and critical violations that axe finds, one line each. */
export async function violations(page) {
  const source = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
  await page.evaluate(source); // by the debugger: the content security policy does not see it
  const found = await page.evaluate(async () => {
    const answer = await window.axe.run(document, { resultTypes: ["violations"] });
    return answer.violations
      .filter((v) => v.impact === "serious" || v.impact === "critical")
      .map((v) => ({ id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 4).map((n) => `${n.target.join(" ")} ${(n.failureSummary ?? "").replace(/\s+/g, " ").slice(0, 200)}`) }));
  });
  return found.map((v) => `${v.impact} ${v.id}: ${v.help}\n    ${v.nodes.join("\n    ")}`);
}

/** Until nothing is loading: no busy table, no bones, no request for a moment. */
export async function settled(page, { quiet = 150, timeout = 20000 } = {}) {
  await page.waitForFunction(
    ({ quiet }) => {
      const busy = document.querySelector('[aria-busy="true"], .bone:not(tr .bone)') !== null;
      const now = performance.now();
      const last = performance.getEntriesByType("resource").filter((e) => !e.name.endsWith("/events")).reduce((m, e) => Math.max(m, e.responseEnd || now), 0);
      if (busy || document.querySelector("main") === null) {
        window.__quietSince = now;
        return false;
      }
      window.__quietSince ??= now;
      return now - Math.max(window.__quietSince, last) > quiet;
    },
    { quiet },
    { timeout, polling: 50 },
  );
}
