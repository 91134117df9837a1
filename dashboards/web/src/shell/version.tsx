// SPDX-License-Identifier: Apache-2.0
// Says so when the server brings another page than the one that is open.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useData } from "../lib/data";
import { useLive } from "../lib/live";
import type { VersionDocument } from "../lib/types";

export function VersionNote(): VNode | null {
  const live = useLive();
  const [round, setRound] = useState(0);
  const connected = live.state === "live";
  useEffect(() => {
    if (connected) setRound((r) => r + 1);
  }, [connected]);
  const version = useData<VersionDocument>(round === 0 ? null : "version", undefined, { live: false });
  const { retry } = version;
  useEffect(() => {
    if (round > 1) retry();
  }, [round]);
  const page = version.data?.page ?? null;
  const [first, setFirst] = useState<string | null>(null);
  useEffect(() => {
    if (first === null && page !== null) setFirst(page);
  }, [page]);
  if (first === null || page === null || page === first) return null;
  return (
    <div class="version-note" role="status">
      This page is of an older version.{" "}
      <button type="button" class="button small" onClick={() => location.reload()}>
        Load the new one
      </button>
    </div>
  );
}
