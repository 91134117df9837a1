#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Goal: the LaTeX that drover prints compiles, plain and with siunitx, and shows its numbers. Method: the golden texts of
# tests/unit/store_tables (what the program prints is compared with them there) in a document of their own; the page is
# rendered and its text looked into.
set -eu
command -v pdflatex > /dev/null && command -v pdftotext > /dev/null || {
    echo "SKIP: pdflatex and poppler-utils are not installed (group latex of .ci/packages.txt)"
    exit 77
}
kpsewhich siunitx.sty > /dev/null || { echo "SKIP: siunitx is not installed (texlive-science)"; exit 77; }
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }

golden=tests/unit/store_tables/golden/paper.tex
{
    printf '%s\n' '\documentclass{article}' '\usepackage[margin=5mm,paperwidth=600mm,paperheight=400mm]{geometry}' \
        '\usepackage{booktabs,siunitx}' '\begin{document}'
    # Tables that are no floats stand below each other.
    sed 's/^\\end{tabular}$/\\end{tabular}\\par/' "$golden"
    printf '%s\n' '\end{document}'
} > "$TMP/t.tex"
(cd "$TMP" && pdflatex -interaction=nonstopmode -halt-on-error t.tex > t.out 2>&1) || {
    grep -A3 '^!' "$TMP/t.out" >&2
    fail "LaTeX does not compile"
}
! grep -E 'Overfull|Undefined|Missing character' "$TMP/t.out" || fail "LaTeX warns"
pdftotext -layout "$TMP/t.pdf" "$TMP/t.txt"
for part in 'Stories' '92.5 ± 2.5 (+26.7)' '***' '3.46' 'Constant' '28.3 [17.4, 39.2]' 'standard deviation over seeds'; do
    grep -qF -- "$part" "$TMP/t.txt" || fail "the page lacks \"$part\""
done
pdftoppm -r 40 -png "$TMP/t.pdf" "$TMP/t"
[ -s "$TMP/t-1.png" ] || fail "no picture"
fonts=$(pdffonts "$TMP/t.pdf" | awk 'NR > 2 { print $1 }')
echo "$fonts" | grep -qi 'BX' || fail "nothing is bold"
echo "ok: compiles, bold and underlined numbers stand in S columns"
