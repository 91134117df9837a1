#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# All C files as clang-format 14 writes them (./dev fmt).
set -eu
cd "$(dirname "$0")/.."
git ls-files -co --exclude-standard '*.c' '*.h' | while read -r f; do [ -e "$f" ] && printf '%s\n' "$f"; done |
    xargs clang-format --dry-run -Werror
