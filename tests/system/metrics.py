# SPDX-License-Identifier: Apache-2.0
"""/metrics, as Prometheus' parser reads it, and what is written about it.

metrics.py text URL                 print it
metrics.py samples URL              check the format; print "name{labels} value" a line
metrics.py scrape URL               check the format; print "family type label=value,value..." a line
metrics.py docs FAMILIES MANUAL     the section "Metrics" of the manual lists every family and no other
metrics.py dashboard FAMILIES JSON  a Grafana dashboard: its form, and that its queries name what is there
metrics.py alerts FAMILIES YML      the same of rules for Prometheus
metrics.py self-test                the checker finds planted mistakes
"""
import json
import re
import sys
import urllib.error
import urllib.request

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(r"(%s)(?:\{(.*)\})? (\S+)$" % NAME)
LABEL = re.compile(r'(%s)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)' % NAME)
ABBREVIATIONS = "us ms ns sec secs kb mb gb min mins".split()


class Bad(Exception):
    pass


def expect(truth, what):
    if not truth:
        raise Bad(what)


def labels_of(text):
    labels, at = {}, 0
    while text and at < len(text):
        m = LABEL.match(text, at)
        expect(m, "labels: " + text)
        expect(m.group(1) not in labels, "a label twice: " + text)
        labels[m.group(1)] = m.group(2)
        at = m.end()
    return labels


def check_histogram(name, samples):
    """Of one family without labels but le."""
    buckets = [(float(l["le"]), v) for n, l, v in samples if n == name + "_bucket"]
    values = {n: v for n, l, v in samples if n != name + "_bucket"}
    expect(buckets and buckets[-1][0] == float("inf"), name + ": no +Inf")
    expect(buckets == sorted(buckets) and len({le for le, _ in buckets}) == len(buckets), name + ": buckets not in order, or not cumulative")
    expect(set(values) == {name + "_sum", name + "_count"}, name + ": _sum and _count")
    expect(values[name + "_count"] == buckets[-1][1], name + ": the count is not that of +Inf")


def check_family(name, kind, samples):
    expect(samples, name + ": no sample")
    expect((kind == "counter") == name.endswith("_total"), name + ": _total is for counters, and for them all")
    expect(not set(name.split("_")) & set(ABBREVIATIONS), name + ": not a base unit")
    expect(kind == "histogram" or all(n == name for n, _, _ in samples), name + ": a sample of another name")
    expect(all(v >= 0 for _, _, v in samples), name + ": negative")
    if kind == "histogram":
        check_histogram(name, samples)


def parse(text):
    """{family: (type, {label: values})}"""
    expect(text.endswith("\n"), "no newline at the end")
    families, helps, series, current, samples = {}, {}, set(), None, {}
    for line in text.splitlines():
        expect(line == line.strip() and line, "blanks: %r" % line)
        word = line.split(" ", 3)
        if word[:2] == ["#", "HELP"]:
            expect(word[2] not in helps and len(word) == 4, "HELP twice or empty: " + line)
            expect(not re.search(r"\\(?![\\n])", word[3]), "escape: " + line)
            helps[word[2]], current = word[3], word[2]
        elif word[:2] == ["#", "TYPE"]:
            expect(word[2] == current and word[2] not in families and word[3] in ("counter", "gauge", "histogram"), "TYPE: " + line)
            families[current], samples[current] = (word[3], {}), []
        else:
            m = SAMPLE.match(line)
            expect(m, "no sample: " + line)
            name, labels = m.group(1), labels_of(m.group(2) or "")
            expect(current in families and re.fullmatch(re.escape(current) + "(_bucket|_sum|_count)?", name), "not behind its TYPE: " + line)
            key = (name, tuple(sorted(labels.items())))
            expect(key not in series, "twice: " + line)
            series.add(key)
            samples[current].append((name, labels, float(m.group(3))))
            for label, value in labels.items():
                families[current][1].setdefault(label, set()).add(value)
    for name, (kind, _) in families.items():
        check_family(name, kind, samples[name])
    return families


def get(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as r:
        return r.headers, r.read()


def scrape(url):
    headers, body = get(url)
    expect(headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8", str(headers))
    expect(get(url, "HEAD")[1] == b"", "HEAD brings a body")
    for path in ("/metrics/", "/metricsx", "/x"):
        try:
            get(url.replace("/metrics", path))
            raise Bad(path + " is there")
        except urllib.error.HTTPError as e:
            expect(e.code == 404, "%s: %d" % (path, e.code))
    families = parse(body.decode())
    expect(len(families) > 40, "few families")
    for name, (kind, labels) in sorted(families.items()):
        print(name, kind, " ".join("%s=%s" % (l, ",".join(sorted(v))) for l, v in sorted(labels.items()) if l != "le"))


def read_families(path):
    families = {}
    for line in open(path, encoding="utf-8"):
        word = line.split()
        families[word[0]] = (word[1], {p.split("=")[0]: set(p.split("=")[1].split(",")) for p in word[2:]})
    return families


def docs(path, manual):
    text = open(manual, encoding="utf-8").read()
    section = re.search(r"^## Metrics$(.*?)^## ", text, re.M | re.S)
    expect(section, "no section Metrics")
    listed = re.findall(r"^\| `(%s)`" % NAME, section.group(1), re.M)
    there = set(read_families(path))
    expect(len(listed) == len(set(listed)), "listed twice: %s" % sorted(n for n in listed if listed.count(n) > 1))
    expect(set(listed) == there, "not in the manual: %s; only there: %s" % (sorted(there - set(listed)), sorted(set(listed) - there)))


def check_query(expr, families):
    for m in re.finditer(r"\b((?:drover|process)_[a-z0-9_]+)(\{[^}]*\})?", expr):
        name, family = m.group(1), m.group(1)
        if name not in families:
            family = re.sub("_(bucket|sum|count)$", "", name)
            expect(families.get(family, ("",))[0] == "histogram", "no such family: %s in %s" % (name, expr))
        kind, labels = families[family]
        for label, op, value in re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', m.group(2) or ""):
            expect(label in labels or label in ("job", "instance"), "%s has no label %s: %s" % (name, label, expr))
            for v in value.split("|"):
                expect(v.startswith("$") or v in labels.get(label, {v}), "%s never has %s=%s" % (name, label, v))
        if kind in ("counter", "histogram"):
            before = expr[:m.start()]
            expect(re.search(r"(rate|increase|changes)\($", before) or name == "drover_incidents_total", "a counter without rate(): " + expr)
    expect(expr.count("(") == expr.count(")") and expr.count("{") == expr.count("}"), "brackets: " + expr)
    expect(re.search(r"\b(drover|process)_|\bup\b", expr), "names nothing: " + expr)


def dashboard(path, file):
    families = read_families(path)
    d = json.load(open(file, encoding="utf-8"))
    expect(d["uid"] == "drover-coordinator" and d["id"] is None and d["title"] and 36 <= d["schemaVersion"] <= 39, "head")
    names = [v["name"] for v in d["templating"]["list"]]
    expect(names == ["datasource", "job", "instance"] and d["templating"]["list"][0]["type"] == "datasource", "variables: %s" % names)
    ids, cells, queries = set(), {}, 0
    for p in d["panels"]:
        expect(p["id"] not in ids and not ids.add(p["id"]), "panel id twice: %d" % p["id"])
        g = p["gridPos"]
        expect(g["x"] >= 0 and g["w"] > 0 and g["x"] + g["w"] <= 24, "wider than the grid: " + p["title"])
        for cell in ((x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])):
            expect(cell not in cells, "%s lies over %s" % (p["title"], cells.get(cell)))
            cells[cell] = p["title"]
        if p["type"] == "row":
            continue
        expect(p["description"] and p["targets"] and p["fieldConfig"]["defaults"]["unit"], "description, targets, unit: " + p["title"])
        expect(len({t["refId"] for t in p["targets"]}) == len(p["targets"]), "refId twice: " + p["title"])
        for t in [p] + p["targets"]:
            expect(t["datasource"]["uid"] == "${datasource}", "a data source of its own: " + p["title"])
        for t in p["targets"]:
            check_query(t["expr"], families)
            expect("$job" in t["expr"] and "$instance" in t["expr"], "not of the chosen coordinator: " + t["expr"])
            queries += 1
    for a in d["annotations"]["list"]:
        check_query(a["expr"], families)
    expect(queries > 20, "few queries")


def alerts(path, file):
    families = read_families(path)
    blocks = re.split(r"^ +- alert: ", open(file, encoding="utf-8").read(), flags=re.M)
    expect(blocks[0].lstrip("# ").count("groups:") == 1 and len(blocks) > 5, "groups")
    names = [b.split()[0] for b in blocks[1:]]
    expect(len(set(names)) == len(names) and all(re.fullmatch(r"Drover[A-Za-z]+", n) for n in names), "names: %s" % names)
    for b in blocks[1:]:
        m = re.search(r"^        expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)", b, re.M)
        expect(m, "no expr: " + b)
        check_query(m.group(1) or m.group(2), families)
        for need in (r"^          severity: (critical|warning|info)$", r'^          summary: ".+"$', r'^          description: ".+"$'):
            expect(re.search(need, b, re.M), need + ": " + b)
        expect("\t" not in b, "a tab")


def self_test():
    good = ('# HELP a_total x\n# TYPE a_total counter\na_total{l="q\\"\\\\"} 1\n# HELP h_seconds x\n# TYPE h_seconds histogram\n'
            'h_seconds_bucket{le="1"} 1\nh_seconds_bucket{le="+Inf"} 2\nh_seconds_sum 3\nh_seconds_count 2\n')
    parse(good)
    for old, new in ((" 1\n# HELP h", ' 1\na_total{l="q\\"\\\\"} 1\n# HELP h'), ("a_total", "a"), ('"+Inf"} 2', '"+Inf"} 0'), ("_count 2", "_count 3"),
                     ('\\"', '"'), ("# TYPE a_total counter\n", ""), ("h_seconds", "h_ms"), ("_sum 3\n", "_sum x\n"), ("{le=\"+Inf\"}", '{le="2"}')):
        try:
            parse(good.replace(old, new))
        except (Bad, ValueError):
            continue
        raise Bad("not found: %r instead of %r" % (new, old))
    families = {"drover_x_total": ("counter", {"outcome": {"lost"}})}
    check_query('rate(drover_x_total{outcome="lost"}[5m])', families)
    for expr in ("rate(drover_y_total[5m])", 'rate(drover_x_total{state="lost"}[5m])', 'rate(drover_x_total{outcome="gone"}[5m])', "drover_x_total > 1",
                 "rate(drover_x_total[5m]"):
        try:
            check_query(expr, families)
        except Bad:
            continue
        raise Bad("not found: " + expr)


try:
    if sys.argv[1] == "text":
        sys.stdout.write(get(sys.argv[2])[1].decode())
    elif sys.argv[1] == "samples":
        body = get(sys.argv[2])[1].decode()
        parse(body)
        print("\n".join(line for line in body.splitlines() if line[0] != "#"))
    elif sys.argv[1] == "scrape":
        scrape(sys.argv[2])
    elif sys.argv[1] == "self-test":
        self_test()
    else:
        {"docs": docs, "dashboard": dashboard, "alerts": alerts}[sys.argv[1]](*sys.argv[2:4])
except Bad as e:
    print("FAILED:", e)
    sys.exit(1)
