#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What 0040-dashboard.sh asks a running dashboard: dashboard.py PART URL [more]. Fails at the first answer that is not as promised."""
import gzip
import http.client
import json
import os
import random
import re
import signal
import socket
import sqlite3
import sys
import threading
import time
import urllib.parse

PART, URL = sys.argv[1:3]
PORT = urllib.parse.urlsplit(URL).port
API = "/api/v1"


def ask(path, method="GET", body=None, timeout=30, **headers):
    """(status, headers, bytes); header names with _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=timeout)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers.setdefault("Host", f"localhost:{PORT}")
    if body is not None:
        headers.setdefault("Content-Length", str(len(body)))
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    answer = response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    connection.close()
    return answer


def raw(data, timeout=10, shut=False):
    """All that comes back for these bytes until the server closes, or TIMEOUT."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=timeout) as s:
        got = b""
        try:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
            while piece := s.recv(65536):
                got += piece
        except OSError:
            pass
        return got


def want(condition, *what):
    if not condition:
        print("FAILED:", *what, file=sys.stderr)
        sys.exit(1)


def data(path, **headers):
    status, _, body = ask(API + path, **headers)
    want(status == 200, path, status, body[:300])
    answer = json.loads(body)
    want(answer["version"] == 1, path, "has no version")
    return answer


def refused(status, path, words="", **how):
    got, headers, body = ask(path, **how)
    want(got == status, path[:200], how, "gave", got, body[:300], "not", status)
    want(words.encode() in body, path[:200], body[:300])
    if path.startswith("/api"):
        error = json.loads(body)["error"]
        want(error["code"] and error["text"], body)
    want(b"/root" not in body and b"sqlite3_" not in body, "leaks", body[:300])
    return headers


def query(sql, **headers):
    status, _, body = ask(API + "/query", "POST", json.dumps({"sql": sql}).encode(), Content_Type="application/json", **headers)
    return status, json.loads(body)


def alive():
    begun = time.monotonic()
    want(data("/version")["drover"], "no version")
    return time.monotonic() - begun


# ---- answers ----


def pages():
    status, headers, body = ask("/")
    want(status == 200 and headers["content-type"].startswith("text/html") and b"drover" in body, "/", status)
    policy = headers["content-security-policy"]
    want("default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy, policy)
    for name, value in (("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("cross-origin-opener-policy", "same-origin"),
                        ("cross-origin-resource-policy", "same-origin")):
        want(headers.get(name) == value, name)
    want("access-control-allow-origin" not in headers, "CORS")
    # Every file that the page names is there, for ever where its name has a digest.
    for piece in body.decode().split('"'):
        if piece.startswith(("assets/", "/assets/", "./assets/")):
            status, headers, file = ask("/" + piece.lstrip("./"), Accept_Encoding="gzip")
            want(status == 200 and "immutable" in headers["cache-control"], piece, status, headers)
            if headers.get("content-encoding") == "gzip":
                want(len(gzip.decompress(file)) > len(file), piece)
            status, _, empty = ask("/" + piece.lstrip("./"), If_None_Match=headers["etag"])
            want(status == 304 and not empty, piece, "not modified", status)


def answers():
    overview = data("/overview")
    want(overview["experiments"], "no experiment")
    path = f"/experiments/{overview['experiments'][0]['id']}/runs?limit=50"
    status, headers, body = ask(API + path)
    want(status == 200 and headers["content-type"] == "application/json" and headers["vary"] == "Accept-Encoding", headers)
    for given in (headers["etag"], '"x", ' + headers["etag"], "*", headers["etag"][2:]):
        status, again, empty = ask(API + path, If_None_Match=given)
        want(status == 304 and not empty and again["etag"] == headers["etag"], "If-None-Match", given, status)
    status, _, same = ask(API + path, If_None_Match='"other"')
    want(status == 200 and same == body, "another ETag")
    status, packed, pack = ask(API + path, Accept_Encoding="br, gzip;q=0.5")
    want(packed.get("content-encoding") == "gzip" and gzip.decompress(pack) == body and len(pack) < len(body) / 2, "gzip")
    for no in ("gzip;q=0", "identity", "", "xgzip", "gzipx"):
        want("content-encoding" not in ask(API + path, Accept_Encoding=no)[1], "gzip for", no)
    status, head, nothing = ask(API + path, "HEAD")
    want(status == 200 and not nothing and int(head["content-length"]) == len(body), "HEAD")
    want(ask("/", "HEAD")[2] == b"", "HEAD of the page")
    want(ask("/favicon.ico")[0] in (200, 204), "favicon")


def html_stays_text():
    """Every text of the store is HTML: it comes as JSON, under a type that no browser shows as HTML."""
    for path in ("/overview", "/experiments/1", "/experiments/1/runs?limit=5", "/experiments/1/failures", "/experiments/1/graph"):
        status, headers, body = ask(API + path)
        want(status == 200, path, status, body[:200])
        want(headers["content-type"] == "application/json" and headers["x-content-type-options"] == "nosniff", path)
        json.loads(body)
    status, _, body = ask(API + "/overview")
    want(b"<" in body, "the store has no HTML: nothing was tested")
    for bad in ("/api/v1/<script>alert(1)</script>", "/%3Cscript%3Ealert(1)%3C/script%3E", "/<b>x"):
        status, headers, body = ask(bad)
        want(status in (400, 404) and not headers["content-type"].startswith("text/html"), bad, status, headers)


# ---- hostile requests ----


def paths():
    for path in ("/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/assets/../../results.db", "/assets/%2e%2e/x",
                 "/a//b", "/%00", "/assets/%5c..%5c", "/x%", "/api/v1/../v1/overview", "/api/v1/overview/", "/assets/", "/%c0%ae%c0%ae/"):
        refused(400, path)
    for path in ("/results.db", "/assets", "/assets/nothing.js", "/index.php", "/x"):
        refused(404, path)
    refused(404, "/api")
    refused(404, "/api/v2/overview", "/api/v1/")
    refused(404, API + "/experimets/1/runs", "did you mean /api/v1/experiments/1/runs?")
    refused(404, API + "/experiments/999999")
    for path in ("/experiments/0", "/experiments/-1", "/experiments/x", "/experiments/1e3", "/experiments/18446744073709551616",
                 "/experiments/1/runs?limit=0", "/experiments/1/runs?limit=1e9", "/experiments/1/runs?nonsense=1", "/experiments/1/runs?limit=%zz"):
        refused(400, API + path)
    refused(400, API + "/experiments/1/runs?" + "&".join(f"a{i}=1" for i in range(65)), "parameters")
    refused(414, API + "/overview?x=" + "y" * 9000)
    for target in (b"http://evil.example/", b"*", b"x", b"//evil.example/api/v1/overview"):
        got = raw(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        want(got.startswith(b"HTTP/1.1 4"), target, got[:200])


def methods():
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW", "get"):
        status, headers, body = ask("/", method)
        want(status == 405 and headers["allow"] == "GET, HEAD", method, status)
        want(b"X-Secret" not in body, "TRACE gives headers back")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        want(refused(405, API + "/overview", method=method)["allow"] == "GET, HEAD", method)
    want(refused(405, API + "/query")["allow"] == "POST", "query by GET")
    refused(405, API + "/events", method="POST")


def bodies():
    json_type = {"Content_Type": "application/json"}
    refused(415, API + "/query", method="POST", body=b'{"sql":"select 1"}', Content_Type="text/plain")
    refused(415, API + "/query", method="POST", body=b'{"sql":"select 1"}')
    refused(415, API + "/query", method="POST", body=b'{"sql":"select 1"}', Content_Type="application/json-seq")
    refused(413, API + "/query", method="POST", body=b" " * 70000, **json_type)
    for body in (b"", b"{", b"[]", b"null", b'{"sql":1}', b'{"sql":""}', b'{"sqk":"select 1"}', b"\xff\xfe", b'{"sql":"select 1","sql":"select 2"}'):
        refused(400, API + "/query", method="POST", body=body, **json_type)
    refused(400, API + "/overview", method="GET", body=b"x" * 10)
    # A body in pieces that never ends, and one that is shorter than it says.
    chunks = b"".join(b"8000\r\n" + b"z" * 0x8000 + b"\r\n" for _ in range(100))
    got = raw(b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, 5)
    want(b" 200 " not in got[:30], got[:200])
    got = raw(b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", 5, shut=True)
    want(b" 200 " not in got[:30], got[:200])
    for length in (b"-1", b"99999999999999999999", b"1x", b"0x10"):
        got = raw(b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " + length + b"\r\n\r\n", 3, shut=True)
        want(b" 200 " not in got[:30], length, got[:200])
    alive()


def headers_that_are_too_much():
    for big in (b"X: " + b"y" * 40000 + b"\r\n", b"".join(b"X%d: 1\r\n" % i for i in range(20000)), b"X" * 50000, b"Cookie: " + b"a=b; " * 20000 + b"\r\n"):
        got = raw(b"GET /api/v1/overview HTTP/1.1\r\nHost: localhost\r\n" + big + b"\r\n", 5)
        want(not got.startswith(b"HTTP/1.1 200"), "large headers", got[:100])
    for line in (b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x00" * 5000, b"\r\n" * 1000, os.urandom(4096), b"GET\r\n\r\n",
                 b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"GET /\x00/api/v1/overview HTTP/1.1\r\nHost: evil\r\n\r\n",
                 b"GET /api/v1/overview HTTP/1.1\r\n\r\n", b"GET /api/v1/overview HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
                 b"GET /api/v1/overview HTTP/1.0\r\n\r\n"):
        got = raw(line, 3, shut=True)
        want(not got.startswith(b"HTTP/1.1 200"), line[:60], got[:100])
    alive()


def strangers():
    for host in ("evil.example", f"evil.example:{PORT}", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0", "192.168.1.5", "", "localhost:x"):
        refused(421, API + "/overview", Host=host)
        status, _, body = ask("/", Host=host)
        want(status == 421 and b"<" not in body, host, status)
    for host in ("localhost", "127.0.0.1", "[::1]", "LOCALHOST:1"):
        want(ask(API + "/version", Host=host)[0] == 200, host)
    for origin in ("http://evil.example", "null", "http://localhost:1", f"http://127.0.0.1:{PORT}", "https://localhost.evil", ""):
        refused(403, API + "/overview", Origin=origin)
        status, _ = query("select 1", Origin=origin)
        want(status == 403, origin, status)
    want(query("select 1", Origin=f"http://localhost:{PORT}")[0] == 200, "the page's own origin")
    for site in ("cross-site", "same-site"):
        refused(403, API + "/overview", Sec_Fetch_Site=site)
        want(ask("/", Sec_Fetch_Site=site)[0] == 200, "a link to the page")
    want(ask(API + "/overview", Sec_Fetch_Site="same-origin")[0] == 200, "the page itself")


def sql():
    want(query("select 1 + 1 as two")[1]["rows"] == [[2]], "SQL")
    for text in ("delete from run", "insert into run default values", "update job set state = 'READY'", "drop table run", "create table t (a)",
                 "attach 'x.db' as x", "pragma journal_mode = delete", "pragma writable_schema = 1", "vacuum", "begin", "select load_extension('x')",
                 "select 1; delete from run", "with x as (select 1) delete from run", "explain", "replace into run values (1)", "reindex",
                 "select writefile('x', 'y')", "pragma query_only = 0", "pragma wal_checkpoint(truncate)", "detach main"):
        status, answer = query(text)
        want(status == 400 and answer["error"]["text"], text, status, answer)
    begun = time.monotonic()
    answers = []
    endless = "with recursive r(i) as (select 1 union all select i + 1 from r) select count(*) from r"
    thread = threading.Thread(target=lambda: answers.append(query(endless)))
    thread.start()
    slowest = 0
    while thread.is_alive():  # others are answered meanwhile
        slowest = max(slowest, alive())
        data("/overview")
    took = time.monotonic() - begun
    want(answers[0][0] == 503 and answers[0][1]["error"]["code"] == "timeout", "an endless query", answers)
    want(1 < took < 20, "an endless query took", took)
    want(slowest < 5, "others waited", slowest)
    status, answer = query("select * from run a, run b, run c, run d")
    want(status in (200, 413, 503), "a query without end of rows", status)
    if status == 200:
        want(answer["truncated"], "not cut")


def events():
    with socket.create_connection(("127.0.0.1", PORT), timeout=10) as s:
        s.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = b""
        while b'"store":"open"' not in got:
            piece = s.recv(4096)
            want(piece, "the stream ended", got)
            got += piece
        want(b"text/event-stream" in got and b"event: change" in got, got)
    # So many at once, and no more; those that leave make room.
    streams = []
    for _ in range(140):
        s = socket.create_connection(("127.0.0.1", PORT), timeout=10)
        s.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        streams.append((s, s.recv(100)))
    full = [head for _, head in streams if b" 503 " in head]
    want(full and len(full) < 40, "listeners", len(full))
    alive()
    for s, _ in streams:
        s.close()


def monkey():
    """Every address of docs/api.md with its parameters, values of all kinds: never an internal error, never the end."""
    doc = open(os.path.join(os.path.dirname(__file__), "../../docs/api.md"), encoding="utf-8").read()
    rng = random.Random(8420)
    values = ["", "0", "1", "-1", "2", "50", "9" * 25, "nan", "1e308", "-0", "a", "accuracy", "-accuracy", "seed", "schedule", "state", "tokens", "reward",
              "train", "labels", "logic", "math", "fixed", "seed~eq~1", "accuracy~gt~0.1", "state~in~failed,finished", "schedule~has~e", "x~y", "~~", "a~eq~",
              "12:skip", "0:9", "14:repeat", "{", "{}", '{"limit":1}', '{"run":1}', "[" * 2000, "<b>", "%25", "%s%n", "' or 1=1 --", "\u202e\U0001f600", "latex", "json",
              "higher", "lower", "all", "improved", "1-5-labels", "fcbd5a2d.rbfc5f15f15f15f16.8", "x" * 3000, "a,b,,c", ",", "\t\n", "failed", "running"]
    seen = {}
    for address, text in re.findall(r"^### GET (/\S+)\n(.*?)(?=^##)", doc + "\n##", re.S | re.M):
        if address == "/events":
            continue
        names = sorted(set(re.findall(r"`([a-z_]+)(?:=[^`]*)?`", text.split("\n    {")[0])))
        for round_ in range(20):
            path = API + address.replace(":id", rng.choice(["1", "1", "1", "2", "7", "300", "999999999"])).replace(
                ":name", rng.choice(["runs", "show", "status", "labels", "diff", "logs", "table", "plan", "schema", "query", "cell", "nothing"]))
            pairs = [(rng.choice(names), rng.choice(values)) for _ in range(rng.randrange(4))] if names and round_ else []
            if address.endswith("/curves") and round_ < 5:
                pairs.append(("metric", "reward"))
            status, _, body = ask(path + ("?" + urllib.parse.urlencode(pairs) if pairs else ""), timeout=60)
            want(status in (200, 400, 404, 409, 413, 503), path, pairs, status, body[:300])
            seen.setdefault(address, set()).add(status)
            want(json.loads(body)["version"] == 1, path, pairs)
    never = [address for address, statuses in seen.items() if 200 not in statuses and "/tables" not in address]  # its recipe is HTML
    want(len(seen) > 15 and not never, "never answered:", never)


# ---- those who hold connections ----


def idle_and_slow():
    """500 connections that say nothing, 100 that say one byte a second: the others are answered."""
    idle = [socket.create_connection(("127.0.0.1", PORT), timeout=10) for _ in range(500)]
    slow = [socket.create_connection(("127.0.0.1", PORT), timeout=10) for _ in range(100)]
    worst = 0
    for byte in b"GET /api/v1":
        for s in slow:
            s.sendall(bytes([byte]))
        worst = max(worst, alive())
        time.sleep(0.2)
    want(worst < 2, "an answer took", worst, "s beside idle connections")
    more = [socket.create_connection(("127.0.0.1", PORT), timeout=10) for _ in range(600)]  # more than there may be
    begun = time.monotonic()
    while True:  # idle ones are shut after three seconds
        try:
            alive()
            break
        except OSError:
            want(time.monotonic() - begun < 20, "idle connections keep others out")
            time.sleep(0.2)
    for s in idle + slow + more:
        s.close()
    alive()


def crowd():
    """Many who ask at the same time get right answers."""
    wrong = []

    def one(number):
        rng = random.Random(number)
        try:
            for _ in range(25):
                kind = rng.randrange(5)
                if kind == 0:
                    data("/overview")
                elif kind == 1:
                    want(len(data(f"/experiments/1/runs?limit={1 + rng.randrange(20)}")["rows"]) > 0, "no rows")
                elif kind == 2:
                    n = rng.randrange(1000)
                    want(query(f"select {n} as n")[1].get("rows") == [[n]], "another's answer")
                elif kind == 3:
                    ask("/", Accept_Encoding="gzip")
                else:
                    raw(b"GET /api/v1/overview HTTP/1.1\r\nHost: localhost\r\n\r\n"[: rng.randrange(10, 55)], 0.05)
        except (SystemExit, Exception) as e:
            wrong.append(e)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    want(not wrong, "in a crowd:", wrong[:3])


def plain():
    # Half a request that never goes on is shut within its time.
    ends = []
    half = threading.Thread(target=lambda: ends.append(raw(b"GET /api/v1/overview HTTP/1.1\r\nHost: local", 60)))
    begun = time.monotonic()
    half.start()
    for part in (pages, answers, html_stays_text, paths, methods, bodies, headers_that_are_too_much, strangers, sql, monkey, events, crowd, idle_and_slow):
        part()
        print("#  ", part.__name__.replace("_", " "))
        sys.stdout.flush()
    half.join()
    want(time.monotonic() - begun < 55 and not ends[0].startswith(b"HTTP/1.1 200"), "half a request", ends)


def token():
    secret = sys.argv[3]
    for path in ("/overview", "/version", "/experiments/1", "/schema", "/events", "/nothing"):
        want(refused(401, API + path)["www-authenticate"].startswith("Bearer"), path)
        refused(401, API + path, Authorization="Bearer " + secret[:-1])
        refused(401, API + path, Authorization="Bearer " + secret + "x")
        refused(401, API + path, Authorization="Basic " + secret)
        refused(401, API + path + "?token=" + secret)
    want(query("select 1")[0] == 401, "SQL without a token")
    want(data("/version", Authorization="Bearer " + secret)["drover"], "with the token")
    want(query("select 1", Authorization="Bearer " + secret)[0] == 200, "SQL with the token")
    want(ask("/")[0] == 200, "the page itself needs none")
    for host, status in (("cluster.lab", 200), ("10.1.2.3:8420", 200), ("evil.example", 421)):
        want(ask(API + "/version", Host=host, Authorization="Bearer " + secret)[0] == status, host)


def busy():
    """A stream, an endless query, half a request; then SIGTERM."""
    stream = socket.create_connection(("127.0.0.1", PORT), timeout=20)
    stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    stream.recv(100)
    half = socket.create_connection(("127.0.0.1", PORT), timeout=20)
    half.sendall(b"GET /api")
    answers = []
    endless = "with recursive r(i) as (select 1 union all select i + 1 from r) select count(*) from r"
    threads = [threading.Thread(target=lambda: answers.append(query(endless)[0])) for _ in range(3)]
    for t in threads:
        t.start()
    time.sleep(0.5)
    begun = time.monotonic()
    os.kill(int(sys.argv[3]), signal.SIGTERM)
    while stream.recv(4096):
        pass
    for t in threads:
        t.join()
    took = time.monotonic() - begun
    want(took < 5, "the end took", took)
    want(answers == [503] * 3, "who waited got", answers)


def moved():
    store, other = sys.argv[3:5]

    def runs():
        return data("/experiments/1/runs?limit=1")["total"]

    def until(what, condition):
        end = time.monotonic() + 20
        while not condition():
            want(time.monotonic() < end, what)
            time.sleep(0.1)

    want(runs() > 200, "runs")
    # Somebody writes: who listens is told, who asks gets it.
    with socket.create_connection(("127.0.0.1", PORT), timeout=20) as stream:
        stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(1.5)
        stream.recv(65536)
        writer = sqlite3.connect(store)
        writer.execute("UPDATE event SET text = 'a new text of an event' WHERE id = (SELECT max(id) FROM event)")
        writer.commit()
        begun = time.monotonic()
        want(b"event: change" in stream.recv(65536), "no event")
        want(time.monotonic() - begun < 5, "an event took", time.monotonic() - begun)
        until("a change is not shown", lambda: b"a new text of an event" in ask(API + "/overview")[2])
        writer.close()
    before = data("/overview")["change"]
    os.rename(store, store + ".away")
    until("a store that is gone is not noticed", lambda: ask(API + "/overview")[0] == 503)
    refused(503, API + "/overview", "results.db")
    want(ask(API + "/version")[0] == 200, "the server itself lives")
    os.rename(other, store)
    until("another store is not read", lambda: ask(API + "/overview")[0] == 200 and runs() < 100)
    want(data("/overview")["change"] > before, "the change number went back")
    os.rename(store + ".away", store)
    until("the first one does not come back", lambda: ask(API + "/overview")[0] == 200 and runs() > 200)


def bare():
    refused(404, "/", "no such page")
    want(data("/version")["page"] is None, "a page")
    data("/overview")


globals()[PART]()
