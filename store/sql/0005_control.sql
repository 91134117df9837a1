-- SPDX-License-Identifier: Apache-2.0
-- 0005_control.sql - pausing, priorities. For people: docs/tables.md.

ALTER TABLE experiment ADD COLUMN paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1));
ALTER TABLE experiment ADD COLUMN priority INTEGER NOT NULL DEFAULT 0; -- of its jobs; higher first

-- 1: only paused experiments want it. Follows the live claims, as job.priority does (store/control.h).
ALTER TABLE job ADD COLUMN paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1));

-- A listing of ready jobs must not wade through paused ones.
DROP INDEX job_ready;
CREATE INDEX job_ready ON job (priority DESC, id) WHERE state = 'READY' AND paused = 0;
CREATE INDEX job_paused ON job (id) WHERE paused = 1;
