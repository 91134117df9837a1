// SPDX-License-Identifier: Apache-2.0
// Places of the page: everything that can be linked to lies behind the '#' of the address, so that
// the page works under any prefix and over any tunnel. '#/experiments/3/runs?sort=-accuracy'.
import { useEffect, useState } from "preact/hooks";
import { Place, QueryValue, parsePlace } from "./place";

export { idPart, link, parsePlace, queryText } from "./place";
export type { Place, QueryValue } from "./place";

export function go(address: string, replace = false): void {
  if (replace) {
    history.replaceState(null, "", address);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = address.replace(/^#/, "");
  }
}

export function usePlace(): Place {
  const [place, setPlace] = useState(() => parsePlace(location.hash));
  useEffect(() => {
    const follow = () =>
      setPlace((old) => (old.text === parsePlace(location.hash).text ? old : parsePlace(location.hash)));
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  return place;
}

/** Members of the query of the place shown, and a function that changes some of them (null takes a
 * member away). Changes replace the entry in the history unless PUSH. */
export function useQuery(): [URLSearchParams, (change: Record<string, QueryValue>, push?: boolean) => void] {
  const place = usePlace();
  return [place.query, changeQuery];
}

export function changeQuery(change: Record<string, QueryValue>, push = false): void {
  const now = parsePlace(location.hash);
  const query = new URLSearchParams(now.query);
  for (const [name, value] of Object.entries(change)) {
    query.delete(name);
    if (value === null || value === undefined || value === "" || value === false) continue;
    if (Array.isArray(value)) for (const one of value) query.append(name, String(one));
    else query.append(name, value === true ? "1" : String(value));
  }
  const text = query.toString();
  const address = "#/" + now.parts.map(encodeURIComponent).join("/") + (text === "" ? "" : "?" + text);
  if (address !== location.hash) go(address, !push);
}
