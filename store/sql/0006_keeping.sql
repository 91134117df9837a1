-- SPDX-License-Identifier: Apache-2.0
-- 0006_keeping.sql - pins and replay verdicts. For people: docs/tables.md.

-- What gc leaves alone: every output of the experiment's, run's or job's jobs.
CREATE TABLE pin (
    id         INTEGER PRIMARY KEY,
    experiment INTEGER UNIQUE REFERENCES experiment (id), -- exactly one of the three
    run        INTEGER UNIQUE REFERENCES run (id),
    job        INTEGER UNIQUE REFERENCES job (id),
    at_ms      INTEGER NOT NULL,
    CHECK ((experiment IS NOT NULL) + (run IS NOT NULL) + (job IS NOT NULL) = 1)
) STRICT;

-- A job was run again beside its committed result and compared bit by bit.
CREATE TABLE replay (
    id          INTEGER PRIMARY KEY,
    job         INTEGER NOT NULL REFERENCES job (id),
    at_ms       INTEGER NOT NULL,
    verdict     TEXT NOT NULL CHECK (verdict IN ('SAME', 'DIFFERENT')),
    text        TEXT NOT NULL, -- the differences, one per line
    environment TEXT NOT NULL  -- of the replay; the committed result's is in its attempt
) STRICT;
CREATE INDEX replay_job ON replay (job);
