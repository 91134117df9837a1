#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""siege.py PID WHAT [SECONDS]: lay siege to all TCP ports that process PID listens on, with bytes that are no ZeroMQ or too slow a
ZeroMQ. WHAT: ports (print them), noise, half-open, slow, flood; or: replay FILE HOST:PORT (send what a client once sent, again);
record FILE HOST:PORT (a relay: prints its own port and keeps what clients send). Prints what was done."""
import os
import pathlib
import resource
import select
import socket
import sys
import time

GREETING = b"\xff" + b"\0" * 7 + b"\x01\x7f\x03\x01"


def ports(pid):
    inodes = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = os.readlink(fd)
        except OSError:
            continue
        if name.startswith("socket:["):
            inodes.add(name[8:-1])
    found = []
    for line in pathlib.Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and words[9] in inodes:
            found.append(int(words[1].split(":")[1], 16))
    return sorted(found)


def connect(port, wait_s=5.0):
    s = socket.socket()
    s.settimeout(wait_s)
    s.connect(("127.0.0.1", port))
    return s


def noise(all_ports, seconds):
    """Random bytes; a right greeting and then random bytes; a greeting and a frame of 2^62 bytes."""
    until, n = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        for port in all_ports:
            for head in (b"", GREETING, GREETING + b"NULL" + b"\0" * 48, GREETING + b"CURVE" + b"\0" * 47, b"GET / HTTP/1.0\r\n\r\n"):
                try:
                    with connect(port) as s:
                        s.sendall(head + (os.urandom(1 << (n % 17)) if n % 3 else b"\x02" + (2**62).to_bytes(8, "big") + b"x" * 100))
                        n += 1
                except OSError:
                    n += 1
    print(f"{n} connections of noise to {len(all_ports)} ports")


def half_open(all_ports, seconds):
    """Connections that say nothing, or half a greeting, and stay."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 10000
    have = min(wanted, (hard if hard != resource.RLIM_INFINITY else wanted + 100) - 100)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(have + 100, hard) if hard != resource.RLIM_INFINITY else have + 100, hard))
    held, refused, began = [], 0, time.monotonic()
    for i in range(have):
        # One address has some 28,000 ports of its own; from several, none runs out.
        s = socket.socket()
        s.setblocking(False)
        s.bind((f"127.0.0.{2 + i % 5}", 0))
        try:
            s.connect(("127.0.0.1", all_ports[i % len(all_ports)]))
        except BlockingIOError:
            pass
        except OSError:
            refused += 1
            continue
        held.append(s)
        if i % 200 == 199:
            for x in held[-100:]:
                try:
                    x.send(GREETING[:7])
                except OSError:
                    pass
    print(f"{len(held)} half-open connections to {len(all_ports)} ports in {time.monotonic() - began:.1f} s, {refused} refused"
          + ("" if have == wanted else f" (this machine allows {have} files, not {wanted})"), flush=True)
    time.sleep(seconds)


def slow(all_ports, seconds):
    """Handshakes of a byte a time."""
    held = []
    for i in range(200):
        try:
            held.append(connect(all_ports[i % len(all_ports)]))
        except OSError:
            pass
    until, at = time.monotonic() + seconds, 0
    text = GREETING + b"CURVE" + b"\0" * 47 + b"\x04\xc8\x05HELLO" + os.urandom(200)
    while time.monotonic() < until:
        for s in held:
            try:
                s.send(text[at % len(text):at % len(text) + 1])
            except OSError:
                pass
        at += 1
        time.sleep(0.05)
    print(f"{len(held)} handshakes of a byte every 50 ms")


def flood(all_ports, seconds):
    """Connections made and ended as fast as can be."""
    until, n = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        try:
            connect(all_ports[n % len(all_ports)], 1.0).close()
        except OSError:
            pass
        n += 1
    print(f"{n} connections in {seconds} s")


def record(path, port):
    """One client after the other, until killed."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        server = connect(port)
        with open(path, "wb", buffering=0) as f:
            over = False
            while not over:
                for s in select.select([client, server], [], [])[0]:
                    try:
                        data = s.recv(65536)
                        (server if s is client else client).sendall(data)
                    except OSError:
                        data = b""
                    if s is client:
                        f.write(data)
                    over = over or not data
        client.close()
        server.close()


def replay(path, port):
    data = pathlib.Path(path).read_bytes()
    for pause in (0, 0.2):
        with connect(port) as s:
            try:
                if pause:  # in the order of a handshake
                    for at in range(0, len(data), 64):
                        s.sendall(data[at:at + 64])
                        time.sleep(0.01)
                else:
                    s.sendall(data)
                time.sleep(0.5)
            except OSError:
                pass
    print(f"{len(data)} bytes of another client's connection, twice")


def main():
    pid, what = sys.argv[1], sys.argv[2]
    if pid in ("record", "replay"):
        {"record": record, "replay": replay}[pid](what, int(sys.argv[3].rsplit(":", 1)[1]))
        return
    found = ports(int(pid))
    if what == "ports":
        print(*found)
        return
    {"noise": noise, "half-open": half_open, "slow": slow, "flood": flood}[what](found, float(sys.argv[3]))


main()
