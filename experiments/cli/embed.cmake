# SPDX-License-Identifier: Apache-2.0
# Recipes as a C table: bytes, because a string literal of C11 need not be longer than 4,095 characters.
set(code "/* Made by embed.cmake. */\n#include \"experiments/cli/cli.h\"\n\n")
set(table "const struct embedded_recipe embedded_recipes[] = {\n")
foreach(file ${RECIPES})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND code "static const char ${name}[] = { ${bytes}0 };\n")
    string(APPEND table "    { \"${name}\", ${name} },\n")
endforeach()
file(WRITE ${OUT} "${code}\n${table}    { NULL, NULL },\n};\n")
