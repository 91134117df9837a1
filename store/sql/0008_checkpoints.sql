-- SPDX-License-Identifier: Apache-2.0
-- 0008_checkpoints.sql - checkpoints inside jobs. For people: docs/tables.md.

-- What the next attempt of a job that is not done can go on from: the newest that any attempt of it saved. The bytes are a
-- file of the blob folder without a row in the table blob: nothing but this row keeps it.
CREATE TABLE checkpoint (
    job     INTEGER PRIMARY KEY REFERENCES job (id),
    attempt INTEGER NOT NULL REFERENCES attempt (id), -- that saved it; its metrics up to STEP are stored
    step    INTEGER NOT NULL,                         -- of training: the state after it
    digest  BLOB NOT NULL CHECK (length(digest) = 32),
    size    INTEGER NOT NULL,                         -- bytes
    at_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX checkpoint_digest ON checkpoint (digest);

-- Files that are on their way out: removed after the commit, the row goes with the next one.
CREATE TABLE checkpoint_gone (
    id     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT;

CREATE TRIGGER checkpoint_replaced AFTER UPDATE OF digest ON checkpoint WHEN OLD.digest <> NEW.digest BEGIN
    INSERT INTO checkpoint_gone (digest) VALUES (OLD.digest);
END;

CREATE TRIGGER checkpoint_removed AFTER DELETE ON checkpoint BEGIN
    INSERT INTO checkpoint_gone (digest) VALUES (OLD.digest);
END;

-- A job that FAILED keeps its own: it may be tried again.
CREATE TRIGGER checkpoint_of_job AFTER UPDATE OF state ON job
WHEN NEW.state IN ('DONE', 'CANCELLED', 'SKIPPED') BEGIN
    DELETE FROM checkpoint WHERE job = NEW.id;
END;

-- The step of the checkpoint that the attempt was given to go on from; NULL: it began at the start. The metrics up to
-- there, of the attempt that made the checkpoint, are its own too: one attempt shows the whole curve.
ALTER TABLE attempt ADD COLUMN from_step INTEGER;
