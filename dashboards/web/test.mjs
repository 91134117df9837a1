// SPDX-License-Identifier: Apache-2.0
// Runs the unit tests of the page's pure parts (src/**/*.test.ts, test/*.test.ts) with node's own runner.
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
const out = join(root, ".test");
const files = (folder) =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? files(`${folder}/${entry.name}`)
      : entry.name.endsWith(".test.ts")
        ? [`${folder}/${entry.name}`]
        : [],
  );
const tests = [...files("src"), ...files("test")].sort();
rmSync(out, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: tests,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node18",
  outdir: out,
  outbase: ".",
  outExtension: { ".js": ".mjs" },
  sourcemap: "inline",
  logLevel: "warning",
});
const made = tests.map((file) => join(out, file.replace(/\.ts$/, ".mjs")));
const ran = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...made], { stdio: "inherit" });
process.exit(ran.status ?? 1);
