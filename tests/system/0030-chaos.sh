#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Twenty kills and other harm at random (the seed is printed): the store is what an undisturbed run makes, and nothing is missing that was
# acknowledged. The long form: ./dev test chaos.
: "${BIN:?BIN names the folder of the programs}"
here=$(dirname "$0")
# Under a sanitizer the programs are slower, not other: fewer kills in more time for each.
kills=20
! grep -qa __asan_init "$BIN/drover-coordinator" || kills=8
CHAOS_CLEAN=${CHAOS_CLEAN-} exec python3 "$here/chaos.py" --kills "$kills" --minutes 0.6 --seed "${CHAOS_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}"
