-- SPDX-License-Identifier: Apache-2.0
-- Named statements: paper tables. Rules as in queries.sql.

-- name: example_at
SELECT example FROM score WHERE family = :family AND idx = :idx
UNION ALL
SELECT example FROM label WHERE family = :family AND idx = :idx
LIMIT 1
