// SPDX-License-Identifier: Apache-2.0
// Builds the page into dist/: index.html, assets/app-<hash>.js, assets/app-<hash>.css. Equal sources
// give equal bytes. Says how large the page is compressed and fails above the limit.
//   node build.mjs [--watch]
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, watch, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const LIMIT = 200 * 1000; // bytes, compressed, all files together
const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, "dist");

async function bundle() {
  const made = await build({
    absWorkingDir: root,
    entryPoints: ["src/main.tsx"],
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2022", "chrome110", "firefox115", "safari16.4"],
    jsx: "automatic",
    jsxImportSource: "preact",
    charset: "utf8",
    legalComments: "none",
    define: { "process.env.NODE_ENV": '"production"' },
    outdir: "out",
    write: false,
    logLevel: "warning",
  });
  const files = {};
  for (const file of made.outputFiles) {
    const kind = file.path.endsWith(".css") ? "css" : "js";
    const hash = createHash("sha256").update(file.contents).digest("hex").slice(0, 12);
    files[kind] = { name: `assets/app-${hash}.${kind}`, bytes: Buffer.from(file.contents) };
  }
  const page = readFileSync(join(root, "src/index.html"), "utf8")
    .replace("{{css}}", files.css.name)
    .replace("{{js}}", files.js.name);
  files.html = { name: "index.html", bytes: Buffer.from(page) };

  // new files first, the page that names them next, old files last: a server in between is served well
  mkdirSync(join(dist, "assets"), { recursive: true });
  let sum = 0;
  for (const file of Object.values(files)) {
    writeFileSync(join(dist, `${file.name}.new`), file.bytes);
    renameSync(join(dist, `${file.name}.new`), join(dist, file.name));
    const size = gzipSync(file.bytes, { level: 9 }).length;
    sum += size;
    console.log(`${file.name}: ${file.bytes.length} bytes, ${size} compressed`);
  }
  const mine = new Set(Object.values(files).map((file) => file.name));
  for (const name of readdirSync(join(dist, "assets"))) {
    if (!mine.has(`assets/${name}`)) rmSync(join(dist, "assets", name), { force: true });
  }
  console.log(`page: ${sum} bytes compressed, limit ${LIMIT}`);
  if (sum > LIMIT) throw new Error(`the page is larger than ${LIMIT} bytes compressed`);
}

function attempt() {
  return bundle().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}

await attempt();
if (process.argv.includes("--watch")) {
  let timer;
  watch(join(root, "src"), { recursive: true }, () => {
    clearTimeout(timer);
    timer = setTimeout(attempt, 150);
  });
}
