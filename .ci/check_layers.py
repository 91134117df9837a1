#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every #include against .ci/layers.txt: names file and line of each wrong arrow. Without arguments, the tree; with
--self-test, planted violations must be found."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'\s*#\s*include\s+(["<])([^">]+)[">]')


def read_rules():
    folders, headers = {}, {}
    for line in (ROOT / ".ci/layers.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, allowed = (part.strip() for part in line.split(":", 1))
        (headers if name.startswith("<") else folders)[name] = allowed.split()
    return folders, headers


def layer_of(path, folders):
    """The longest folder of the table that PATH is in."""
    found = [f for f in folders if path.startswith(f + "/")]
    return max(found, key=len) if found else None


def check(path, text, folders, headers):
    own = layer_of(path, folders)
    wrong = []
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        kind, target = match.groups()
        if kind == "<":
            allowed = headers.get(f"<{target}>")
            if allowed is not None and not any(path == a or path.startswith(a + "/") for a in allowed):
                wrong.append(f"{path}:{number}: <{target}> may be included by {', '.join(allowed)} only")
            continue
        other = layer_of(target, folders)
        if own is None:
            continue
        if other is None and not target.startswith("store/sql_"):
            wrong.append(f'{path}:{number}: "{target}" is no path from the root of a known folder')
        elif other is not None and other != own and other not in folders[own]:
            wrong.append(f"{path}:{number}: {own} may not include {other} ({target})")
    return wrong


def self_test(folders, headers):
    planted = [
        ("common/base/x.c", '#include "store/store.h"'),
        ("coordinator/core/x.c", '#include "common/wire/wire.h"'),
        ("worker/x.c", '#include "store/store.h"'),
        ("worker/x.c", "#include <zmq.h>"),
        ("store/x.c", '#include "err.h"'),
    ]
    good = [("worker/jobs/x.c", '#include "worker/search/search.h"'), ("store/x.c", "#include <sqlite3.h>")]
    missed = [p for p in planted if not check(*p, folders, headers)]
    false = [g for g in good if check(*g, folders, headers)]
    for item in missed + false:
        print("self-test:", item)
    return 1 if missed or false else 0


def main():
    folders, headers = read_rules()
    if "--self-test" in sys.argv:
        return self_test(folders, headers)
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.c", "*.h"], cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout.split()
    wrong = []
    for name in names:
        path = ROOT / name
        if not name.startswith("tests/") and path.exists():
            wrong += check(name, path.read_text(), folders, headers)
    print("\n".join(wrong) if wrong else f"{len(names)} files: all arrows allowed")
    return 1 if wrong else 0


sys.exit(main())
