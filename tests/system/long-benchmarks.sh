#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 0011-benchmarks with every example of every file.
LONG=1 exec sh "$(dirname "$0")/0011-benchmarks.sh"
