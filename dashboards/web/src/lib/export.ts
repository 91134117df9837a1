// SPDX-License-Identifier: Apache-2.0
// Rows as CSV and Markdown, downloads, the clipboard.
import type { Cell } from "./types";

function csvCell(value: Cell | undefined): string {
  if (value === null || value === undefined) return "";
  const text = String(value);
  return /[",\r\n]/.test(text) || /^\s|\s$/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
}

export function csv(columns: readonly string[], rows: readonly (readonly (Cell | undefined)[])[]): string {
  return [columns.map(csvCell), ...rows.map((r) => columns.map((_, k) => csvCell(r[k])))]
    .map((r) => r.join(",") + "\n")
    .join("");
}

function markdownCell(value: Cell | undefined): string {
  return value === null || value === undefined
    ? ""
    : String(value).replace(/\\/g, "\\\\").replace(/\|/g, "\\|").replace(/\r?\n/g, " ").replace(/</g, "&lt;");
}

export function markdown(columns: readonly string[], rows: readonly (readonly (Cell | undefined)[])[]): string {
  const numeric = columns.map(
    (_, k) => rows.length > 0 && rows.every((r) => r[k] === null || typeof r[k] === "number"),
  );
  const line = (cells: string[]) => "| " + cells.join(" | ") + " |\n";
  return (
    line(columns.map(markdownCell)) +
    line(numeric.map((n) => (n ? "---:" : "---"))) +
    rows.map((r) => line(columns.map((_, k) => markdownCell(r[k])))).join("")
  );
}

export function fileName(text: string): string {
  return (
    text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 60) || "drover"
  );
}

export function download(name: string, content: Blob | string, type = "text/csv;charset=utf-8"): void {
  const blob = typeof content === "string" ? new Blob([content], { type }) : content;
  const address = URL.createObjectURL(blob);
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** True when the text is in the clipboard. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "off-screen";
    document.body.append(field);
    field.select();
    let done = false;
    try {
      done = document.execCommand("copy");
    } catch {
      done = false;
    }
    field.remove();
    return done;
  }
}
