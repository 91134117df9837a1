# SPDX-License-Identifier: Apache-2.0
"""What 0039-operations.sh needs beyond the shell.

operations.py notify SOCKET FILE    receive a service manager's datagrams, a line each, into FILE
operations.py hostile HOST PORT     requests that are none; print how each was answered
operations.py terminal KEYS COMMAND...  run it on a terminal, type KEYS after 3 s, print what it drew
"""
import os
import pty
import select
import socket
import sys
import time


def notify(path, out):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(path)
    with open(out, "w") as f:
        while True:
            f.write(s.recv(65536).decode() + "\n")
            f.flush()


def ask(host, port, request, wait=8):
    s = socket.create_connection((host, int(port)), timeout=wait)
    try:
        s.sendall(request)
        answer = b""
        while len(answer) < 1 << 20:
            part = s.recv(65536)
            if not part:
                break
            answer += part
        return answer
    except (ConnectionError, socket.timeout):
        return b"-"
    finally:
        s.close()


def hostile(host, port):
    end = b"Host: x\r\nConnection: close\r\n\r\n"
    requests = {
        "get": b"GET /metrics HTTP/1.1\r\n" + end,
        "head": b"HEAD /metrics HTTP/1.1\r\n" + end,
        "post": b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n" + end + b"hello",
        "delete": b"DELETE /metrics HTTP/1.1\r\n" + end,
        "elsewhere": b"GET /../../etc/passwd HTTP/1.1\r\n" + end,
        "garbage": os.urandom(5000),
        "long": b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 100000 + b"\r\n" + end,
        "many": b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + end,
    }
    # Some that say nothing and stay.
    idle = [socket.create_connection((host, int(port))) for _ in range(8)]
    for name, request in requests.items():
        answer = ask(host, port, request)
        first = answer.split(b"\r\n", 1)[0].split(b" ")
        body = answer.split(b"\r\n\r\n", 1)[-1] if b"\r\n\r\n" in answer else b""
        print(name, first[1].decode() if len(first) > 1 and first[0].startswith(b"HTTP/") else "closed", len(body))
    for s in idle:
        s.close()


def terminal(keys, command):
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execvp(command[0], command)
    begin, typed, out = time.time(), False, b""
    while time.time() - begin < 30:
        ready = select.select([fd], [], [], 0.2)[0]
        if ready:
            try:
                part = os.read(fd, 65536)
            except OSError:
                break
            if not part:
                break
            out += part
        if not typed and time.time() - begin > 3:
            os.write(fd, keys.encode())
            typed = True
    else:
        os.kill(pid, 9)
    sys.stdout.buffer.write(out.replace(b"\033", b"<ESC>"))
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


if sys.argv[1] == "notify":
    notify(sys.argv[2], sys.argv[3])
elif sys.argv[1] == "hostile":
    hostile(sys.argv[2], sys.argv[3])
else:
    terminal(sys.argv[2], sys.argv[3:])
