# SPDX-License-Identifier: Apache-2.0
# Goal: figures say what the store says: the numbers behind a curve, a dot and a bar equal plain SQL over the views, and the
# files that gnuplot draws are whole. Method: a small experiment with three seeds; every number of --json is recomputed.
. "$(dirname "$0")/lib.sh"
cd "$TMP"
drover run "$HERE/tiny.cfg" --store r.db --quiet --set seed=1,2,3 --set labels.simulations=20 >run.txt 2>run.log || fail "the run"

cat >curve.cfg <<'EOT'
experiment = "system/tiny";
kind = "curve"; step = "base"; metric = "loss"; band = "sd"; title = "Loss \"of\" the base";
EOT
drover plot curve.cfg --store r.db --json >curve.json || fail "a curve"
drover query --store r.db --json "select at_step as x, avg(value) as y, count(*) as n, sqrt((sum(value * value) - count(*) * avg(value) * avg(value)) / (count(*) - 1)) as sd from curriculum where metric = 'loss' and step = 'base' group by at_step order by at_step" >curve_sql.json
python3 - <<'EOT' || fail "the curve's numbers"
import json
points = json.load(open("curve.json"))["plots"][0]["series"][0]["points"]
rows = json.load(open("curve_sql.json"))["rows"]
assert len(points) == len(rows) > 1, (len(points), len(rows))
for (x, y, low, high, n), row in zip(points, rows):
    assert x == row["x"] and n == row["n"] == 3, (x, row)
    assert abs(y - row["y"]) < 1e-9 and abs(high - low - 2 * row["sd"]) < 1e-6, (y, low, high, row)
EOT

cat >all.cfg <<'EOT'
plots = ( { kind = "routing"; step = "labels"; by = ["task"]; },
          { kind = "pareto"; x = "layers"; y = "accuracy"; where = "seed != 2"; band = "none"; } );
EOT
drover plot all.cfg --store r.db --json >all.json || fail "two plots"
drover query --store r.db --json "select task, routing from routing where has_label" >labels.json
drover query --store r.db --json "select avg(accuracy) as y, avg(layers) as x, count(*) as n from run_summary join run on run.id = run where seed <> 2" >dot.json
python3 - <<'EOT' || fail "the bars' and dots' numbers"
import json, collections
plots = json.load(open("all.json"))["plots"]
count = collections.defaultdict(lambda: [[0, 0, 0] for _ in range(4)])
labels = collections.Counter()
for row in json.load(open("labels.json"))["rows"]:
    labels[row["task"]] += 1
    for layer, choice in enumerate(row["routing"]):
        count[row["task"]][layer][int(choice)] += 1
assert {s["name"] for s in plots[0]["series"]} == set(labels)
for s in plots[0]["series"]:
    assert s["labels"] == labels[s["name"]]
    for have, want in zip(s["layers"], count[s["name"]]):
        assert all(abs(h - w / sum(want)) < 1e-12 for h, w in zip(have, want))
dot, row = plots[1]["series"][0], json.load(open("dot.json"))["rows"][0]
assert dot["seeds"] == row["n"] == 2 and dot["best"] is True and dot["ylow"] is None
assert abs(dot["x"] - row["x"]) < 1e-12 and abs(dot["y"] - row["y"]) < 1e-12
EOT

cat >tradeoff.cfg <<'EOT'
kind = "tradeoff"; band = "range"; baseline = "plain"; task = "math"; xlabel = "layers";
lines = ( { name = "oracle"; steps = ["oracle"]; }, { name = "plain"; steps = "plain"; } );
EOT
drover plot tradeoff.cfg --store r.db --json >tradeoff.json || fail "a tradeoff"
drover query --store r.db --json "select run, step, avg(layers) as x, sum(correct) * 1.0 / sum(n) as y from accuracy where task = 'math' and step in ('plain', 'oracle') group by run, step order by run" >tradeoff_sql.json
python3 - <<'EOT' || fail "the tradeoff's numbers"
import json
series = json.load(open("tradeoff.json"))["plots"][0]["series"]
rows = json.load(open("tradeoff_sql.json"))["rows"]
of = lambda step: [r for r in rows if r["step"] == step]
plain, oracle = of("plain"), of("oracle")
assert [s["name"] for s in series] == ["oracle", "plain"] and len(plain) == len(oracle) == 3
dot = series[1]["points"][0]
assert dot["seeds"] == 3 and dot["y"] == dot["ylow"] == dot["yhigh"] == 0 and dot["step"] == "plain", dot
assert abs(dot["x"] - sum(r["x"] for r in plain) / 3) < 1e-9, dot
gain = [b["y"] - a["y"] for a, b in zip(plain, oracle)]
dot = series[0]["points"][0]
assert abs(dot["y"] - sum(gain) / 3) < 1e-9 and abs(dot["yhigh"] - max(gain)) < 1e-9, (dot, gain)
EOT
sed 's/"plain"/"plian"/' tradeoff.cfg >wrong.cfg
drover plot wrong.cfg --store r.db 2>wrong.txt && fail "a tradeoff of a step that is not there"
grep -q 'wrong.cfg:.*"plian"; did you mean "plain"' wrong.txt || fail "the message about a step: $(cat wrong.txt)"

# What a person sees, and files.
drover plot curve.cfg --store r.db --script >script.txt
grep -q '\\"of\\"' script.txt || fail "a quote in a title is not escaped"
drover plot all.cfg --store r.db --script >script.txt || fail "the script of two plots"
! grep -q 'title "best"' script.txt || fail "a line through one dot"
if command -v gnuplot >/dev/null; then
    drover plot curve.cfg --store r.db >terminal.txt || fail "drawing on the terminal"
    grep -q 'training step' terminal.txt || fail "no axis on the terminal"
    for kind in svg pdf png; do
        drover plot all.cfg --store r.db -o "figure.$kind" || fail "drawing $kind"
        [ -s "figure.$kind" ] || fail "figure.$kind is empty"
    done
    python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse("figure.svg")' || fail "the SVG is not whole"
    [ ! -e figure.svg.part ] || fail "a part is left"
else
    note "SKIP-DATA gnuplot"
fi

# Errors name file, line and remedy; nothing is left behind.
expect() { # CODE WORDS SPEC...: the last arguments are those of plot
    code=$1 words=$2
    shift 2
    rc=0
    drover plot "$@" --store r.db >out.txt 2>err.txt || rc=$?
    [ "$rc" -eq "$code" ] && grep -q -- "$words" err.txt || fail "plot $*: exit $rc: $(cat err.txt)"
}
echo 'kind = "curve"; step = "base"; metrik = "loss";' >bad.cfg
expect 1 'bad.cfg:1.*metric' bad.cfg
echo 'kind = "curve"; step = "base"; metric = "los";' >bad.cfg
expect 1 'bad.cfg:1.*did you mean "base loss"' bad.cfg
echo 'kind = "curve"; step = "basis"; metric = "nothing";' >bad.cfg
expect 1 'bad.cfg:1.*reports no metric "nothing"' bad.cfg
echo 'kind = "curve"; step = "base"; metric = "loss"; where = "seed == 77";' >bad.cfg
expect 1 'no run fits' bad.cfg
echo 'kind = "curve"; step = "base"; metric = "loss"; by = ["base.dimm"];' >bad.cfg
expect 1 'bad.cfg:1' bad.cfg
echo 'kind = "pareto"; y = "acuracy";' >bad.cfg
expect 1 'did you mean "accuracy"' bad.cfg
echo 'kind = "curve"; step = "base"; metric = "loss"; where = "seed >";' >bad.cfg
expect 1 'bad.cfg:1.*where' bad.cfg
expect 1 'must end in' curve.cfg -o figure.jpg
expect 2 'one specification' curve.cfg all.cfg
rc=0
PATH=/nonexistent "$BIN/drover" plot curve.cfg --store r.db -o gone.svg 2>err.txt || rc=$?
[ "$rc" -eq 1 ] && grep -q 'gnuplot is not installed' err.txt && [ ! -e gone.svg ] || fail "without gnuplot: $(cat err.txt)"
