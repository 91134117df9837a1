#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh TEST.mjs: browser tests of one subject, or why they cannot run here. BIN names the programs' folder.
set -eu
: "${BIN:?BIN names the folder of the programs}"
here=$(cd "$(dirname "$0")" && pwd)
skip() { echo "SKIP-DATA $*"; exit 77; }
command -v node >/dev/null || skip "no node (./dev setup web)"
[ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || skip "no chromium (./dev setup webtest)"
[ -d "$here/node_modules/playwright-core" ] || skip "no playwright-core (npm ci in tests/web)"
[ -x "$BIN/drover-dashboard" ] || skip "no drover-dashboard in $BIN"
# A dashboard without its page says so at /, and there is nothing to look at.
[ -f "$here/../../dashboards/web/dist/index.html" ] || skip "the page is not built (npm ci && npm run build in dashboards/web)"
exec node --test --test-reporter=spec "$here/$1"
