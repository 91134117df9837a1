// SPDX-License-Identifier: Apache-2.0
// Goal: the parts of the page that only compute do what they say. Method: examples, and for pages
// and lanes a slow and simple model beside them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { groupEvents } from "./events";
import { csv, fileName, markdown } from "./export";
import { filterText, filtersOf, parseFilter, readFilter } from "./filters";
import * as f from "./format";
import { needsOf, whyOf } from "./job";
import { blocks, layOut, spanAt, timeTicks, utilisation } from "./lanes";
import { badTone, outcomeWord } from "./outcomes";
import { FarPages } from "./far_pages";
import { Pages, compareCells, slicePage } from "./pages";
import { ROW, topFor, windowAt } from "./scroll";
import { idPart, link, parsePlace, queryText } from "./place";
import { slotsFor } from "./slots";
import { EventParser, backOffMs } from "./sse";
import { chooseChart, insertWord, kindOf, quoted, remembering, seriesOf } from "./sql_text";
import type { JobDocument, QueryAnswer } from "./types";

const plain = (text: string) => text.replace(/\u202f/g, " ");

test("numbers are grouped, short and honest about nothing", () => {
  assert.equal(plain(f.integer(1234567)), "1 234 567");
  assert.equal(f.integer(null), "–");
  assert.equal(f.integer(NaN), "–");
  assert.equal(plain(f.integer(-1234)), "−1 234");
  assert.equal(plain(f.compact(1234567)), "1.23 M");
  assert.equal(plain(f.compact(999950)), "1.00 M");
  assert.equal(plain(f.compact(9999)), "9 999");
  assert.equal(f.number(0.83125), "0.8313");
  assert.equal(f.number(31.2468), "31.25");
  assert.equal(f.number(4.1e-7), "4.10e-7");
  assert.equal(f.number(-0.5), "−0.5000");
  assert.equal(plain(f.number(12345.678)), "12 346");
  assert.equal(f.number(Infinity), "∞");
  assert.equal(f.number(undefined), "–");
  assert.equal(plain(f.share(0.973)), "97.3 %");
  assert.equal(plain(f.share(-0.0001)), "0.0 %");
  assert.equal(f.difference(19.74), "+19.7");
  assert.equal(f.difference(-0.01), "0.0");
  assert.equal(
    f.interval(12.3, 26.5, (x) => f.difference(x)),
    "[+12.3, +26.5]",
  );
  assert.equal(f.interval(null, 1), "");
});

test("progress is 100 % only when all is done and 0 % only when nothing is", () => {
  assert.equal(plain(f.progress(999999, 1000000)), "99 %");
  assert.equal(plain(f.progress(1, 1000000)), "1 %");
  assert.equal(plain(f.progress(5, 5)), "100 %");
  assert.equal(plain(f.progress(0, 5)), "0 %");
  assert.equal(f.progress(0, 0), "–");
});

test("durations carry over into the next unit, never 60", () => {
  for (let s = 0; s < 200000; s += 7.3) {
    assert.doesNotMatch(f.duration(s), /\b60\u202f(s|min)\b/, String(s));
    assert.doesNotMatch(f.durationShort(s), /\b60\u202f(s|min)\b/, String(s));
  }
  assert.equal(plain(f.duration(59.7)), "1 min 00 s");
  assert.equal(plain(f.duration(3599.6)), "1 h 00 min");
  assert.equal(plain(f.duration(7500)), "2 h 05 min");
  assert.equal(plain(f.duration(86400 * 3 + 3600 * 4)), "3 d 4 h");
  assert.equal(plain(f.duration(0.0123)), "12 ms");
  assert.equal(f.duration(null), "–");
  assert.equal(plain(f.relative(1000000000000, 1000000000000 + 185000)), "3 min ago");
  assert.equal(plain(f.relative(1000000000000 + 7200000, 1000000000000)), "in 2 h");
  assert.equal(f.relative(0, 5), "–");
  assert.equal(plain(f.bytes(1023.9 * 1024)), "1.0 MiB");
  assert.equal(plain(f.rate(0.2)), "12.0 /min");
  assert.equal(plain(f.rate(2e-8)), "0 /s");
});

test("ticks are round, inside, and few", () => {
  assert.deepEqual(f.ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(f.ticks(3, 3, 5), [3]);
  for (let k = 0; k < 400; k++) {
    const lo = ((k * 7919) % 1000) / 13 - 30;
    const hi = lo + 10 ** ((k % 13) - 6);
    const t = f.ticks(lo, hi, 6);
    assert.ok(t.length >= 1 && t.length <= 14, `${lo} ${hi} ${t.length}`);
    for (const x of t)
      assert.ok(x >= lo - 1e-9 * Math.abs(hi) - 1e-12 && x <= hi + 1e-9 * Math.abs(hi) + (hi - lo) * 1e-6);
  }
});

test("texts are cut at characters, not in the middle of one", () => {
  assert.equal(f.cut("abcdef", 4), "abc…");
  assert.equal(f.cut("abc", 4), "abc");
  assert.equal(f.cut("𝔸𝔹ℂ𝔻𝔼", 3), "𝔸𝔹…");
  assert.equal(f.cut("x".repeat(100000), 5), "xxxx…");
});

test("places come back as they were linked, whatever is in them", () => {
  for (const name of ["a b", "50%", "x/y", "<img>", "ä?&=#", "~"]) {
    const place = parsePlace(link("experiments", 3, name, { q: name, empty: "", none: null, list: [name, "z"] }));
    assert.deepEqual(place.parts, ["experiments", "3", name]);
    assert.equal(place.query.get("q"), name);
    assert.equal(place.query.get("empty"), null);
    assert.deepEqual(place.query.getAll("list"), [name, "z"]);
  }
  assert.deepEqual(parsePlace("").parts, []);
  assert.deepEqual(parsePlace("#/%E0%A4%A").parts, ["%E0%A4%A"], "a broken escape is kept as it is");
  assert.equal(queryText({ a: 1, b: false, c: true }), "a=1&c=1");
  assert.equal(idPart("12"), 12);
  assert.equal(idPart("1e3"), null);
  assert.equal(idPart("-1"), null);
  assert.equal(idPart(undefined), null);
});

test("filters are read as people write them, and wrong ones say what is near", () => {
  const names = ["accuracy", "schedule", "train.lr", "a=b"];
  assert.deepEqual(readFilter("accuracy >= 0.5", names), { name: "accuracy", op: "ge", value: "0.5" });
  assert.deepEqual(readFilter("Accuracy<1", names), { name: "accuracy", op: "lt", value: "1" });
  assert.deepEqual(readFilter('schedule = "a > b"', names), { name: "schedule", op: "eq", value: "a > b" });
  assert.deepEqual(readFilter("schedule contains x y", names), { name: "schedule", op: "has", value: "x y" });
  assert.deepEqual(readFilter("schedule != cosine", names), { name: "schedule", op: "ne", value: "cosine" });
  const wrong = readFilter("acuracy > 1", names);
  assert.ok("wrong" in wrong && wrong.wrong.includes('"accuracy"'));
  assert.ok("wrong" in readFilter("accuracy", names));
  assert.ok("wrong" in readFilter("accuracy >", names));
  const filter = { name: "schedule", op: "eq" as const, value: "a~b~c" };
  assert.deepEqual(parseFilter(filterText(filter)), filter);
  assert.equal(parseFilter("nothing"), null);
  assert.equal(parseFilter("a~what~b"), null);
  assert.equal(filtersOf(new URLSearchParams("filter=a~eq~1&filter=bad&filter=b~lt~2")).length, 2);
});

test("pages give every row once and in order, however far one scrolls", async () => {
  const all = Array.from({ length: 1234 }, (_, k) => k);
  const pages = new Pages<number>(100, 4);
  const seen = new Set<number>();
  const look = (from: number, to: number) => {
    for (let guard = 0; guard < 50; guard++) {
      const ask = pages.wanted(from, to);
      if (ask === null) break;
      const from2 = ask.after === null ? 0 : Number(ask.after);
      const page = slicePage(all, from2 === 0 ? null : String(from2), 100);
      assert.ok(pages.put(ask, page));
    }
    for (let k = from; k < Math.min(to, all.length); k++) {
      assert.equal(pages.row(k), k);
      seen.add(k);
    }
  };
  for (let k = 0; k < 1300; k += 37) look(k, k + 40);
  assert.equal(seen.size, 1234);
  assert.equal(pages.length, 1234);
  assert.ok(pages.ended);
  look(0, 40);
  look(600, 640);
  assert.equal(pages.wanted(1300, 1400), null, "nothing behind the end");
});

test("any page can be asked for: by its cursor where it is known, else by its place", () => {
  const all = Array.from({ length: 1234 }, (_, k) => k);
  const pages = new FarPages<number>(100, 4);
  let asked = 0;
  const look = (from: number, to: number) => {
    for (let ask = pages.wanted(from, to); ask !== null; ask = pages.wanted(from, to)) {
      assert.ok(++asked < 100);
      assert.ok(ask.skip === 0 || ask.after === null);
      pages.put(ask, slicePage(all, ask.after ?? (ask.skip === 0 ? null : String(ask.skip)), 100));
    }
    for (let k = from; k < Math.min(to, all.length); k++) assert.equal(pages.row(k), k);
  };
  look(0, 1);
  assert.equal(pages.height, 1234);
  look(1200, 1234);
  assert.equal(asked, 2, "the end is one question away");
  assert.equal(pages.wanted(1234, 1300), null, "nothing behind the end");
  for (let k = 0; k < 1234; k += 90) look(k, k + 40);
  pages.age();
  all.unshift(-1);
  assert.deepEqual(pages.wanted(0, 40), { page: 0, after: null, skip: 0 });
});

test("every row of a long table can be scrolled to, however long it is", () => {
  for (const length of [10, 1000, 499_999, 500_001, 1_000_000, 20_000_000]) {
    const view = 600;
    for (const k of [0, 1, 20, 333, Math.floor(length / 3), length - 2, length - 1]) {
      if (k >= length) continue;
      for (const from of [0, 17, 1e5, 14e6]) {
        const box = windowAt(0, view, length);
        const height = box.above + (box.last - box.first) * ROW + box.below;
        const top = Math.round(topFor(k, Math.min(from, Math.max(0, height + 32 - view)), view, length));
        const { first, last, above, below } = windowAt(top, view, length);
        assert.ok(k >= first && k < last, `${k} of ${length} from ${from}: ${first}..${last}`);
        const y = 32 + above + (k - first) * ROW - top;
        assert.ok(y > -2 * ROW && y < view, `row ${k} of ${length} from ${from} is drawn at ${y}`);
        assert.ok(above >= 0 && below >= 0 && above + below + (last - first) * ROW <= 17e6);
      }
    }
  }
});

test("an answer of an order that is gone is not used", () => {
  const pages = new Pages<number>(2);
  pages.put({ page: 0, after: null, skip: 0 }, { rows: [1, 2], next: "a", matched: 6 });
  pages.put({ page: 1, after: "a", skip: 0 }, { rows: [3, 4], next: "b", matched: 6 });
  assert.equal(pages.row(3), 4);
  pages.age();
  assert.deepEqual(pages.wanted(0, 2), { page: 0, after: null, skip: 0 });
  assert.equal(pages.row(3), 4, "what is drawn stays until it is asked again");
  pages.put({ page: 0, after: null, skip: 0 }, { rows: [0, 1], next: "c", matched: 7 });
  assert.equal(pages.row(3), undefined);
  assert.equal(pages.put({ page: 1, after: "a", skip: 0 }, { rows: [3, 4], next: "b", matched: 6 }), false);
  assert.deepEqual(pages.wanted(2, 4), { page: 1, after: "c", skip: 0 });
  pages.put({ page: 1, after: "c", skip: 0 }, { rows: [2], next: null, matched: 3 });
  assert.equal(pages.length, 3);
});

test("an empty answer ends a table, and a number is a cursor too", () => {
  const pages = new Pages<number>(2);
  pages.put({ page: 0, after: null, skip: 0 }, { rows: [], next: null, matched: 0 });
  assert.equal(pages.length, 0);
  assert.equal(pages.wanted(0, 10), null);
  const more = new Pages<number>(1);
  more.put({ page: 0, after: null, skip: 0 }, { rows: [1], next: 67, matched: 2 });
  assert.deepEqual(more.wanted(1, 2), { page: 1, after: "67", skip: 0 });
});

test("cells are in order: numbers, texts, and nothing last both ways", () => {
  const cells = ["b", null, 2, 10, "a", NaN, -1];
  assert.deepEqual([...cells].sort((a, b) => compareCells(a, b, false)).slice(0, 5), [-1, 2, 10, "a", "b"]);
  assert.deepEqual([...cells].sort((a, b) => compareCells(a, b, true)).slice(0, 5), ["b", "a", 10, 2, -1]);
});

test("events arrive whole, however the stream is cut", () => {
  const stream = ': hello\n\nevent: change\ndata: {"change":1}\n\ndata: a\r\ndata: b\r\n\r\nevent: x\n\n';
  for (let size = 1; size < 30; size++) {
    const parser = new EventParser();
    const events = [];
    for (let k = 0; k < stream.length; k += size) events.push(...parser.feed(stream.slice(k, k + size)));
    assert.deepEqual(
      events,
      [
        { event: "change", data: '{"change":1}' },
        { event: "message", data: "a\nb" },
      ],
      `pieces of ${size}`,
    );
  }
  assert.ok(backOffMs(0, 0) >= 300 && backOffMs(0, 1) <= 700);
  assert.ok(backOffMs(50, 1) <= 20000);
});

test("lanes: blocks cover their spans, and what failed is never hidden in a block", () => {
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const lane: { start_ms: number; end_ms: number | null; bad: boolean }[] = [];
  let t = 0;
  for (let k = 0; k < 3000; k++) {
    t += random() * 50;
    const end = t + random() * 60;
    lane.push({ start_ms: t, end_ms: k === 2999 ? null : end, bad: random() < 0.02 });
    t = end;
  }
  for (const gap of [0.1, 20, 300, 5000]) {
    const made = blocks(lane, 1000, 100000, t + 5, gap, (s) => s.bad);
    const inside = lane.filter((s) => (s.end_ms ?? t + 5) >= 1000 && s.start_ms <= 100000);
    assert.equal(
      made.reduce((n, b) => n + b.n, 0),
      inside.length,
    );
    for (const s of inside.filter((x) => x.bad))
      assert.ok(
        made.some(
          (b) => b.marked !== null && b.from <= Math.max(1000, s.start_ms) && b.to >= Math.min(100000, s.end_ms ?? t),
        ),
      );
    for (let k = 1; k < made.length; k++) assert.ok((made[k]?.from ?? 0) >= (made[k - 1]?.to ?? 0) - 1e-6);
  }
  assert.equal(spanAt(lane, lane[7]?.start_ms ?? 0, t, 0), lane[7]);
  assert.equal(spanAt([], 5, 10, 100), null);
});

test("lanes laid out do not overlap and are no more than ran at once", () => {
  const spans = Array.from({ length: 500 }, (_, k) => ({
    start_ms: (k * 7919) % 1000,
    end_ms: ((k * 7919) % 1000) + 1 + ((k * 31) % 40),
  }));
  const lanes = layOut(spans, 2000);
  let most = 0;
  for (let t = 0; t < 1100; t++) most = Math.max(most, spans.filter((s) => s.start_ms <= t && s.end_ms > t).length);
  assert.equal(lanes.length, most);
  assert.equal(
    lanes.reduce((n, l) => n + l.length, 0),
    500,
  );
  for (const lane of lanes)
    for (let k = 1; k < lane.length; k++) assert.ok((lane[k]?.start_ms ?? 0) >= (lane[k - 1]?.end_ms ?? 0));
  assert.equal(utilisation([[{ start_ms: 0, end_ms: 50 }], []], 2, 0, 100, 1000), 0.25);
  assert.equal(utilisation([[{ start_ms: 0, end_ms: null }]], 1, 0, 100, 50), 1);
  assert.equal(utilisation([], 0, 0, 100, 50), null);
  const ticks = timeTicks(1000000, 4600000, 6, 0);
  assert.ok(ticks.length >= 5 && ticks.every((x) => x.at % x.step === 0));
});

test("what goes into CSV and Markdown comes out as one cell", () => {
  assert.equal(
    csv(
      ["a", "b,c"],
      [
        ["x\ny", 1],
        ['q"', null],
      ],
    ),
    'a,"b,c"\n"x\ny",1\n"q""",\n',
  );
  assert.equal(
    markdown(
      ["a", "n"],
      [
        ["x|y\nz", 1],
        ["<b>", 2],
      ],
    ),
    "| a | n |\n| --- | ---: |\n| x\\|y z | 1 |\n| &lt;b> | 2 |\n",
  );
  assert.equal(fileName("../../Accuracy of <runs>!"), "accuracy-of-runs");
  assert.equal(fileName("***"), "drover");
});

test("SQL: charts choose sensible columns, words are inserted with blanks, history has each once", () => {
  const answer: QueryAnswer = {
    columns: ["schedule", "step", "accuracy"],
    rows: [
      ["a", 2, 0.5],
      ["a", 1, 0.4],
      ["b", 1, null],
    ],
    truncated: false,
    ms: 1,
  };
  const choice = chooseChart(answer);
  assert.deepEqual(choice, { x: 1, y: 2, by: 0 });
  assert.deepEqual(choice === null ? null : seriesOf(answer, choice), [
    { name: "a", x: [1, 2], y: [0.4, 0.5] },
    { name: "b", x: [1], y: [null] },
  ]);
  assert.equal(chooseChart({ ...answer, columns: ["t"], rows: [["x"]] }), null);
  assert.deepEqual(chooseChart({ ...answer, columns: ["t", "n"], rows: [["x", 1]] }), { x: 0, y: 1, by: null });
  assert.equal(kindOf({ ...answer, kinds: ["time", "number", "number"] }, 0), "time");
  assert.deepEqual(insertWord("SELECT FROM x", 7, 7, "run"), { text: "SELECT run FROM x", at: 10 });
  assert.deepEqual(insertWord("a", 1, 1, "b"), { text: "a b", at: 3 });
  assert.equal(quoted("a b"), '"a b"');
  assert.equal(quoted('x"y'), '"x""y"');
  assert.equal(quoted("ok_1"), "ok_1");
  assert.deepEqual(remembering(["a", "b"], " b "), ["b", "a"]);
  assert.deepEqual(remembering(["a"], "  "), ["a"]);
});

test("outcomes have words and tones; jobs say why in either form", () => {
  assert.equal(outcomeWord("OOM"), "out of memory");
  assert.equal(outcomeWord("DONE"), "done");
  assert.equal(outcomeWord(null), "running");
  assert.equal(badTone("DONE"), null);
  assert.equal(badTone("RUNNING"), null);
  assert.equal(badTone("LOST"), "warn");
  assert.equal(badTone("TIMEOUT"), "bad");
  const d = {
    needs: [{ job: 37, step: "train", kind: "pretrain", state: "READY" }],
    why: { rules: [{ rule: "needs", text: "x" }] },
  } as unknown as JobDocument;
  assert.equal(needsOf(d)[0]?.id, 37);
  assert.equal(whyOf(d).length, 1);
  assert.equal(whyOf({ ...d, why: null }).length, 0);
});

test("the same event many times in a row is one line", () => {
  const e = (id: number, text: string) => ({ id, at_ms: id, kind: "failed", text, job: id, attempt: null });
  const groups = groupEvents([e(5, "a"), e(4, "a"), e(3, "b"), e(2, "a")]);
  assert.deepEqual(
    groups.map((g) => [g.event.id, g.n]),
    [
      [5, 2],
      [3, 1],
      [2, 1],
    ],
  );
});

test("a row that stays keeps its element; one that comes takes that of one that went", () => {
  const at = (m: ReadonlyMap<string, number>) => [...m].map(([key, slot]) => key + slot).join(" ");
  const first = slotsFor<string>(new Map(), ["a", "b", "c"]);
  assert.equal(at(first), "a0 b1 c2");
  const moved = slotsFor(first, ["b", "c", "d", "e"]);
  assert.equal(at(moved), "b1 c2 d0 e3");
  assert.equal(at(slotsFor(moved, ["v", "w", "x", "y"])), "v1 w2 x0 y3", "in the order they stand in the page");
  assert.equal(at(slotsFor(moved, ["e"])), "e3");
  assert.equal(at(slotsFor(slotsFor(moved, ["e"]), ["e", "f"])), "e3 f0");
});
