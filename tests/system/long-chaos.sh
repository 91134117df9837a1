#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Chaos for some minutes: 150 kills and what comes with them (see chaos.py; 500 in 20 minutes: ./dev test chaos).
: "${BIN:?BIN names the folder of the programs}"
exec python3 "$(dirname "$0")/chaos.py" --kills 150 --minutes 6 --seed "${CHAOS_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}"
