// SPDX-License-Identifier: Apache-2.0
// Numbers, times and names as people read them. Pure: the present time is a parameter.

export const NONE = "–";
const MINUS = "−";
export const THIN = "\u202f";

function signed(text: string): string {
  return text.replace(/^-/, MINUS);
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

export function isNumber(x: unknown): x is number {
  return typeof x === "number" && Number.isFinite(x);
}

/** 1234567 -> "1 234 567". */
export function integer(x: number | null | undefined): string {
  if (!isNumber(x)) return NONE;
  return signed((x < 0 ? "-" : "") + grouped(Math.abs(Math.round(x)).toFixed(0)));
}

/** 1234567 -> "1.23 M"; below 10,000 as it is. */
export function compact(x: number | null | undefined): string {
  if (!isNumber(x)) return NONE;
  const size = Math.abs(x);
  if (size < 10000) return Number.isInteger(x) ? integer(x) : number(x);
  const units = ["k", "M", "G", "T", "P"];
  let value = size;
  let unit = "";
  for (const next of units) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  const text = value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
  return signed((x < 0 ? "-" : "") + text + THIN + unit);
}

/** A measure with about DIGITS significant digits: 0.8312, 31.25, 4.1e-7. */
export function number(x: number | null | undefined, digits = 4): string {
  if (typeof x !== "number" || Number.isNaN(x)) return NONE;
  if (!Number.isFinite(x)) return x > 0 ? "∞" : MINUS + "∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (Number.isInteger(x) && size < 1e15) return integer(x);
  if (size >= 1e7 || size < 1e-4) return signed(x.toExponential(Math.max(0, digits - 2)));
  const places = Math.min(10, Math.max(0, digits - 1 - Math.floor(Math.log10(size))));
  const [whole = "", fraction] = size.toFixed(places).split(".");
  return signed((x < 0 ? "-" : "") + grouped(whole) + (fraction === undefined ? "" : "." + fraction));
}

/** 0.973 -> "97.3 %". */
export function share(x: number | null | undefined, places = 1): string {
  if (!isNumber(x)) return NONE;
  return signed((x * 100).toFixed(places).replace(/^-(0(\.0*)?)$/, "$1")) + THIN + "%";
}

/** Share done, which says 100 % only when all is done and 0 % only when nothing is. */
export function progress(done: number, all: number): string {
  if (all <= 0) return NONE;
  if (done >= all) return "100" + THIN + "%";
  if (done <= 0) return "0" + THIN + "%";
  return Math.min(99, Math.max(1, Math.floor((done / all) * 100))) + THIN + "%";
}

/** A difference with its sign: "+19.7". */
export function difference(x: number | null | undefined, places = 1): string {
  if (!isNumber(x)) return NONE;
  const text = Math.abs(x).toFixed(places);
  if (Number(text) === 0) return text;
  return (x < 0 ? MINUS : "+") + text;
}

/** "[+12.3, +26.5]"; empty without an interval. */
export function interval(
  lo: number | null | undefined,
  hi: number | null | undefined,
  one: (x: number) => string = (x) => number(x, 3),
): string {
  return isNumber(lo) && isNumber(hi) ? `[${one(lo)}, ${one(hi)}]` : "";
}

export function bytes(x: number | null | undefined): string {
  if (!isNumber(x)) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = x;
  let k = 0;
  while (value >= 1023.5 && k < units.length - 1) {
    value /= 1024;
    k++;
  }
  return (k === 0 ? value.toFixed(0) : value >= 100 ? value.toFixed(0) : value.toFixed(1)) + THIN + units[k];
}

/** Seconds: "0.8 s", "42 s", "3 min 05 s", "2 h 05 min", "3 d 4 h". */
export function duration(seconds: number | null | undefined): string {
  if (!isNumber(seconds)) return NONE;
  const s = Math.max(0, seconds);
  if (s < 0.0995) return s === 0 ? "0" + THIN + "s" : (s * 1000).toFixed(s < 0.00995 ? 1 : 0) + THIN + "ms";
  if (s < 9.95) return s.toFixed(1) + THIN + "s";
  if (s < 59.5) return Math.round(s) + THIN + "s";
  const whole = Math.round(s);
  if (whole < 3600) return Math.floor(whole / 60) + THIN + "min " + pad(whole % 60) + THIN + "s";
  const minutes = Math.round(s / 60);
  if (minutes < 24 * 60) return Math.floor(minutes / 60) + THIN + "h " + pad(minutes % 60) + THIN + "min";
  const hours = Math.round(s / 3600);
  return Math.floor(hours / 24) + THIN + "d " + (hours % 24) + THIN + "h";
}

/** Seconds in at most one unit: "42 s", "3 min", "2.1 h". */
export function durationShort(seconds: number | null | undefined): string {
  if (!isNumber(seconds)) return NONE;
  const s = Math.max(0, seconds);
  if (s < 9.95) return s.toFixed(1) + THIN + "s";
  if (s < 59.5) return Math.round(s) + THIN + "s";
  if (s < 3570) return Math.round(s / 60) + THIN + "min";
  if (s < 86400) return (s / 3600).toFixed(s < 35820 ? 1 : 0) + THIN + "h";
  return (s / 86400).toFixed(1) + THIN + "d";
}

function pad(n: number): string {
  return n < 10 ? "0" + n : String(n);
}

/** "just now", "3 min ago", "in 2 h". */
export function relative(at: number | null | undefined, now: number): string {
  if (!isNumber(at) || at <= 0) return NONE;
  const s = (now - at) / 1000;
  const size = Math.abs(s);
  if (size < 5) return "just now";
  if (size > 45 * 86400) return date(at);
  const text =
    size < 60
      ? Math.floor(size) + THIN + "s"
      : size < 3600
        ? Math.floor(size / 60) + THIN + "min"
        : size < 86400
          ? Math.floor(size / 3600) + THIN + "h"
          : Math.floor(size / 86400) + THIN + "d";
  return s > 0 ? text + " ago" : "in " + text;
}

/** Local time of the day, with the date when it is not today's. */
export function clock(at: number | null | undefined, now: number, seconds = true): string {
  if (!isNumber(at) || at <= 0) return NONE;
  const d = new Date(at);
  const n = new Date(now);
  const time = pad(d.getHours()) + ":" + pad(d.getMinutes()) + (seconds ? ":" + pad(d.getSeconds()) : "");
  const today = d.getFullYear() === n.getFullYear() && d.getMonth() === n.getMonth() && d.getDate() === n.getDate();
  return today ? time : date(at) + " " + time;
}

export function date(at: number | null | undefined): string {
  if (!isNumber(at) || at <= 0) return NONE;
  const d = new Date(at);
  return d.getFullYear() + "-" + pad(d.getMonth() + 1) + "-" + pad(d.getDate());
}

export function fullTime(at: number | null | undefined): string {
  if (!isNumber(at) || at <= 0) return NONE;
  const d = new Date(at);
  return date(at) + " " + pad(d.getHours()) + ":" + pad(d.getMinutes()) + ":" + pad(d.getSeconds());
}

/** "1 run", "2 runs", "1 234 567 runs". */
export function plural(n: number, one: string, many = one + "s"): string {
  return integer(n) + " " + (n === 1 ? one : many);
}

/** Rates: "3.2 /s", "12 /min", "4 /h". */
export function rate(perSecond: number | null | undefined): string {
  if (!isNumber(perSecond)) return NONE;
  if (perSecond < 1e-5) return "0" + THIN + "/s";
  if (perSecond >= 100) return compact(Math.round(perSecond)) + THIN + "/s";
  if (perSecond >= 1) return perSecond.toFixed(1) + THIN + "/s";
  if (perSecond * 60 >= 1) return (perSecond * 60).toFixed(1) + THIN + "/min";
  return (perSecond * 3600).toFixed(1) + THIN + "/h";
}

/** The text cut in the middle of nowhere, at LENGTH characters, with an ellipsis. */
export function cut(text: string, length: number): string {
  const points = text.length > length * 2 ? Array.from(text.slice(0, length * 2 + 2)) : Array.from(text);
  return points.length <= length ? text : points.slice(0, Math.max(0, length - 1)).join("") + "…";
}

/** A cell of the store: numbers as measures, everything else as it is. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return NONE;
  if (typeof value === "number") return number(value);
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

/** Round numbers for an axis between LO and HI, about COUNT of them. */
export function ticks(lo: number, hi: number, count: number): number[] {
  if (!(hi > lo) || !Number.isFinite(lo) || !Number.isFinite(hi)) return [lo];
  const raw = (hi - lo) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? raw;
  const found: number[] = [];
  for (let k = Math.ceil(lo / step - 1e-9); k * step <= hi + step * 1e-9 && found.length < 100; k++) {
    found.push(Number((k * step).toPrecision(12)));
  }
  return found;
}
