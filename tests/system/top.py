# SPDX-License-Identifier: Apache-2.0
"""What 0043-top.sh needs beyond the shell.

top.py once FILE            is it one picture, without a control character?
top.py json FILE            three objects of drover top --json
top.py terminal DROVER STORE      run top on a terminal and press keys
top.py back DROVER STORE GONE BACK   watch; make GONE when it shows something, BACK when it says that nobody answers; end when it goes on
"""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time


def once(path):
    text = open(path, encoding="utf-8").read()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text), "a control character"
    lines = text.splitlines()
    assert lines[0].startswith("drover "), lines[0]
    for want in (r"^rates +[1-9]", r"^workers +2: 2 working", r"^watched ", r"^failed +\d+ +[1-9]", r"^one +\S+ +\d/1", r"^two +\S+ +\d/2"):
        assert any(re.search(want, line) for line in lines), want
    assert "j1 on two: " in text, "no newest failure"


def check_json(path):
    frames = [json.loads(line) for line in open(path, encoding="utf-8")]
    assert len(frames) == 3, len(frames)
    for f in frames:
        assert f["version"] == 1 and f["silent_s"] == 0, f
        assert f["rates"]["results_per_s"] >= 0 and f["rates"]["attempts_per_s"] >= 0
        assert [w["worker"] for w in f["workers"]] == ["one", "two"]
        assert f["numbers"]["drover_slots"] == 3 and f["numbers"]["drover_workers"]["working"] == 2
        assert f["numbers"]["drover_attempts_ended_total"]["failed"] >= 1
        assert f["failures"][0]["outcome"] == "failed" and f["failures"][0]["worker"] == "two", f["failures"]
        assert f["experiments"][0]["experiment"] == "watched" and f["experiments"][0]["jobs"] == 30000
    assert frames[2]["numbers"]["drover_results_done_total"] > frames[0]["numbers"]["drover_results_done_total"]
    assert frames[2]["up_s"] > frames[0]["up_s"]
    assert any(f["rates"]["results_per_s"] > 0 for f in frames)
    assert any("s run " in (w["doing"] or "") for f in frames for w in f["workers"]), "nobody does anything"


class Terminal:
    """A program on a terminal of 24x80 that understands what top sends."""

    def __init__(self, argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], argv)
        self.raw, self.screen, self.row, self.other = b"", {}, 1, False
        self.before = termios.tcgetattr(self.fd)
        self.size(24, 80)

    def size(self, rows, cols):
        self.rows, self.cols = rows, cols
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def take(self, part):
        self.raw += part
        text = part.decode("utf-8", "replace")
        for item in re.finditer(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|([^\x1b]+)", text):
            private, number, letter, plain = item.groups()
            if plain is not None:
                self.screen[self.row] = self.screen.get(self.row, "") + plain
            elif letter == "H":
                self.row = int(number.split(";")[0])
                self.screen[self.row] = ""
            elif letter == "J":
                self.screen, self.row = {}, 1
            elif private:
                assert number in ("1049", "25"), item.group()
                if number == "1049":
                    self.other = letter == "h"
            else:
                assert letter in "mK", item.group()
        longest = max((len(line) for line in self.screen.values()), default=0)
        assert not self.other or longest <= self.cols, longest

    def text(self):
        return "\n".join(self.screen.get(i, "") for i in range(1, self.rows + 1))

    def read(self, wait=0.2):
        """False: it has ended."""
        if not select.select([self.fd], [], [], wait)[0]:
            return True
        try:
            part = os.read(self.fd, 1 << 20)
        except OSError:
            return False
        while part and not part.endswith((b"K", b"h", b"l")) and select.select([self.fd], [], [], 0.2)[0]:
            part += os.read(self.fd, 1 << 20)
        self.take(part)
        return bool(part)

    def until(self, what, seconds=20):
        end = time.time() + seconds
        while not re.search(what, self.text(), re.M):
            assert time.time() < end, "waited for %r, saw:\n%s" % (what, self.text())
            assert self.read(), "it ended; waited for " + what
        print("seen:", what)

    def press(self, keys):
        os.write(self.fd, keys.encode())

    def ends(self, code):
        end = time.time() + 15
        while self.read():
            assert time.time() < end, "it does not end"
        status = os.waitpid(self.pid, 0)[1]
        assert os.waitstatus_to_exitcode(status) == code, status
        tail = self.raw[self.raw.rindex(b"\x1b[?25h"):]
        assert b"\x1b[?1049l" in tail and not self.other, "the screen is not as it was"


def cooked(t):
    """The terminal's settings are those of before."""
    now = termios.tcgetattr(t.fd)
    return now[3] & (termios.ICANON | termios.ECHO) == termios.ICANON | termios.ECHO and now[0] == t.before[0]


def terminal(drover, store):
    argv = [drover, "top", "--store", store, "-i", "0.3"]
    t = Terminal(argv)
    t.until(r"^workers +2: 2 working")
    t.until(r"^rates +[1-9]")
    t.until(r"^watched ")
    t.until(r"^failed ")
    assert t.other and not cooked(t), "it did not take the terminal"
    assert len(t.text().splitlines()) == 24
    t.press("s")
    t.until(r"sort:done")
    t.press("?")
    t.until("any key goes back")
    t.press("x/two\r")
    t.until(r'of 1 with "two"')
    assert not re.search(r"^one ", t.text(), re.M), t.text()
    t.press("/\x1b")
    t.until(r"^one ")
    t.press("p")
    t.until(r"paused$")
    frozen = t.text()
    time.sleep(1)
    t.read(0.1)
    assert t.text() == frozen, "it moves although it is paused"
    t.press("p")
    t.until(r"every 0.3 s")
    t.size(40, 160)
    t.until(r"WORKER.*DONE")
    assert len(t.text().splitlines()) == 40
    t.press("q")
    t.ends(0)
    for number in (signal.SIGTERM, signal.SIGINT):
        t = Terminal(argv)
        t.until(r"^workers +2: 2 working")
        if number == signal.SIGINT:
            t.press("\x03")
        else:
            os.kill(t.pid, number)
        t.ends(0)
    # What a shell sees after it: the same terminal, another program.
    t = Terminal(["sh", "-c", "\"$0\" \"$@\"; stty -a; sleep 1"] + argv)
    t.until(r"^workers +2: 2 working")
    t.press("q")
    end = time.time() + 15
    while b"icanon" not in t.raw and time.time() < end and t.read():
        pass
    assert re.search(rb"[^-]icanon", t.raw) and re.search(rb"[^-]echo\b", t.raw) and re.search(rb"[^-]icrnl", t.raw), t.raw[-2000:]
    os.kill(t.pid, signal.SIGKILL)
    os.waitpid(t.pid, 0)
    os.environ["NO_COLOR"] = "1"
    t = Terminal(argv + ["-n", "3"])
    t.ends(0)
    assert not re.search(rb"\x1b\[[0-9;]+m", t.raw), "colour in spite of NO_COLOR"


def back(drover, store, gone, again):
    t = Terminal([drover, "top", "--store", store, "-i", "0.3"])
    t.until(r"^rates +[1-9]")
    open(gone, "w").close()
    t.until(r"no answer since \d")
    assert "two" in t.text(), "the last picture is gone"
    open(again, "w").close()
    t.until(r"every 0.3 s", 60)
    t.press("q")
    t.ends(0)


if sys.argv[1] == "once":
    once(sys.argv[2])
elif sys.argv[1] == "json":
    check_json(sys.argv[2])
elif sys.argv[1] == "terminal":
    terminal(*sys.argv[2:4])
else:
    back(*sys.argv[2:6])
