// SPDX-License-Identifier: Apache-2.0
// recipe.ts - a recipe's text in pieces that are coloured differently. Pure; pieces joined are the
// text, whatever it is.

export type PieceKind = "comment" | "string" | "number" | "name" | "word" | "include" | "text";

export interface Piece {
  kind: PieceKind;
  text: string;
}

const pattern =
  /(#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(@include[^\n]*)|("(?:\\.|[^"\\\n])*"?)|([A-Za-z_*][-\w*.]*)(?=\s*[=:])|\b(true|false|True|False)\b|([-+]?\b\d[\w.]*(?:[eE][-+]\d+)?)|([A-Za-z_][-\w.]*)/g;

const kinds: readonly PieceKind[] = ["comment", "include", "string", "name", "word", "number", "text"];

export function recipePieces(text: string): Piece[] {
  const out: Piece[] = [];
  let at = 0;
  const put = (kind: PieceKind, s: string): void => {
    const last = out[out.length - 1];
    if (!s) return;
    if (last && last.kind === kind && kind === "text") last.text += s;
    else out.push({ kind, text: s });
  };

  for (const m of text.matchAll(pattern)) {
    put("text", text.slice(at, m.index));
    const group = m.slice(1).findIndex((g) => g !== undefined);
    put(kinds[group] ?? "text", m[0]);
    at = m.index + m[0].length;
  }
  put("text", text.slice(at));
  return out;
}

// The pieces by line, for a text with line numbers.
export function recipeLines(text: string): Piece[][] {
  const lines: Piece[][] = [[]];

  for (const p of recipePieces(text))
    p.text.split("\n").forEach((part, i) => {
      if (i) lines.push([]);
      if (part) lines[lines.length - 1]!.push({ kind: p.kind, text: part });
    });
  return lines;
}
