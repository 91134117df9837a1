// SPDX-License-Identifier: Apache-2.0
// Places of the page and their addresses. Pure.

export interface Place {
  parts: string[];
  query: URLSearchParams;
  /** parts and query as written; equal texts are equal places */
  text: string;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function parsePlace(hash: string): Place {
  const text = hash.replace(/^#?\/?/, "");
  const cut = text.indexOf("?");
  const path = cut < 0 ? text : text.slice(0, cut);
  return {
    parts: path
      .split("/")
      .filter((p) => p !== "")
      .map(decoded),
    query: new URLSearchParams(cut < 0 ? "" : text.slice(cut + 1)),
    text,
  };
}

export type QueryValue = string | number | boolean | null | undefined | readonly (string | number)[];

/** The address of a place: link("experiments", 3, "runs", {sort: "-accuracy"}). Empty members of
 * the query are left out; lists are repeated. */
export function link(...parts: (string | number | Record<string, QueryValue>)[]): string {
  const path: string[] = [];
  let query = "";
  for (const part of parts) {
    if (typeof part === "object") query = queryText(part);
    else path.push(encodeURIComponent(String(part)));
  }
  return "#/" + path.join("/") + (query === "" ? "" : "?" + query);
}

export function queryText(members: Record<string, QueryValue>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) {
    if (value === null || value === undefined || value === "" || value === false) continue;
    if (Array.isArray(value)) for (const one of value) query.append(name, String(one));
    else query.append(name, value === true ? "1" : String(value));
  }
  return query.toString();
}

/** Id in a part of a path; null when it is none. */
export function idPart(part: string | undefined): number | null {
  return part !== undefined && /^[0-9]{1,15}$/.test(part) ? Number(part) : null;
}
