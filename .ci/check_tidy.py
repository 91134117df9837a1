#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lengths, banned calls and the licence line of every C file. --self-test: planted violations must be found."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINE_MAX, FUNCTION_MAX, C_MAX, H_MAX = 100, 60, 600, 250

# what : use instead
BANNED = {
    "strcpy": "buf_ or mem_", "strcat": "buf_", "sprintf": "snprintf or buf_printf", "vsprintf": "vsnprintf",
    "strncpy": "snprintf", "strtok": "strcspn", "gets": "fgets", "atoi": "conf_ or strtoll with checks",
    "atol": "strtoll with checks", "atof": "strtod with checks", "localtime": "clock_iso", "gmtime": "gmtime_r",
    "ctime": "clock_iso", "rand": "rng_", "srand": "rng_", "alloca": "mem_", "system": "posix_spawn",
}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
EXIT = re.compile(r"(?<![\w.>])exit\s*\(")
TODO = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
START = re.compile(r"^[A-Za-z_].*\)\s*$")


def strip(text):
    """Comments and literals blanked, lines kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def functions(lines):
    """(first line, length) of each function: from the brace in column 0 to the closing one."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            start = number
        elif line.startswith("}") and start:
            yield start, number - start - 1
            start = None


def check(path, text):
    wrong = []
    lines = text.splitlines()
    code = strip(text).splitlines()
    test = path.startswith("tests/")
    if "SPDX-License-Identifier: Apache-2.0" not in (lines[0] if lines else ""):
        wrong.append(f"{path}:1: the first line names no licence")
    limit = H_MAX if path.endswith(".h") else C_MAX
    if len(lines) > limit:
        wrong.append(f"{path}: {len(lines)} lines, at most {limit}")
    for start, length in functions(code):
        if length > FUNCTION_MAX:
            wrong.append(f"{path}:{start}: a function of {length} lines, at most {FUNCTION_MAX}")
    for number, (line, bare) in enumerate(zip(lines, code), 1):
        if len(line) > LINE_MAX and not test:
            wrong.append(f"{path}:{number}: {len(line)} columns, at most {LINE_MAX}")
        if TODO.search(line):
            wrong.append(f"{path}:{number}: unfinished work belongs in an issue")
        for match in CALL.finditer(bare):
            wrong.append(f"{path}:{number}: {match.group(1)}: use {BANNED[match.group(1)]}")
        if EXIT.search(bare) and not test and "/main" not in path and not path.startswith("experiments/cli/"):
            wrong.append(f"{path}:{number}: exit in a library: return an error")
    return wrong


def self_test():
    head = "/* SPDX-License-Identifier: Apache-2.0 */\n"
    planted = ["int x;\n", head + "int f(void)\n{\n" + "    ;\n" * 61 + "}\n", head + "void f(void)\n{\n    strcpy(a, b);\n}\n",
               head + "x" * 101 + "\n", head + "/* TO" + "DO */\n", head + "int x;\n" * 600, head + "void f(void)\n{\n    exit(1);\n}\n"]
    good = [head + "/* strcpy(a, b) */\nchar *s = \"rand()\";\n", head + "int f(void)\n{\n" + "    ;\n" * 60 + "}\n"]
    missed = [i for i, p in enumerate(planted) if not check("common/x.c", p)]
    false = [i for i, g in enumerate(good) if check("common/x.c", g)]
    print("self-test: missed", missed, "falsely found", false)
    return 1 if missed or false else 0


def main():
    if "--self-test" in sys.argv:
        return self_test()
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.c", "*.h"], cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout.split()
    wrong = [w for n in names if (ROOT / n).exists() for w in check(n, (ROOT / n).read_text())]
    print("\n".join(wrong) if wrong else f"{len(names)} files: tidy")
    return 1 if wrong else 0


sys.exit(main())
