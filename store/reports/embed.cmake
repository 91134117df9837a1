# SPDX-License-Identifier: Apache-2.0
# cmake -DIN=docs/tables.md -DOUT=gen/store/manual.c -P embed.cmake: the manual of the tables as bytes of C, so that
# `drover query --schema` tells what it tells.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
string(REPLACE "'\\x0a'," "'\\x0a',\n" bytes "${bytes}")
file(WRITE ${OUT}
    "/* Made from docs/tables.md by embed.cmake. */\n#include \"store/reports/private.h\"\n\nconst char tables_manual[] = {\n${bytes}0 };\n")
