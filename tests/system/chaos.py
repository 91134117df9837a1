#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Chaos with real processes: a coordinator and workers on quickstart-like jobs (chaos.cfg) are killed, stopped, cut off, given a
full disk, a torn log and other clocks, at random by a seed. Then they may finish, and the store must be what an undisturbed run
makes: the same rows, the same bits, nothing twice, nothing missing that a worker was told is safe (compare.c).

    BIN=build/release/bin tests/system/chaos.py [--kills N] [--minutes M] [--seed S] [--workers N] [--only KIND,...] [--keep]

What happens when is drawn from the seed before anything starts; how far the processes have come by then is theirs to say.
Processes are ended by their ids, however this ends."""
import argparse
import atexit
import ctypes
import os
import pathlib
import random
import resource
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("BIN", HERE.parent.parent / "build/release/bin")).resolve()
LEASE_S, REATTACH_S = 3.0, 4.0
TIMES = ["--lease-ms", "3000", "--renew-ms", "500", "--heartbeat-ms", "300", "--reattach-ms", "4000"]
SANITIZED = b"__asan_init" in (BIN / "drover-coordinator").read_bytes()
DISK_BYTES = 512 << 20
ROOT = os.getuid() == 0 and not os.environ.get("CHAOS_AS_USER")  # namespaces and small disks may be made
FAKETIME = next((p for p in pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None) if not SANITIZED else None

# Disturbances besides kills, how often relative to each other.
KINDS = {"stop_worker": 3, "stop_coordinator": 2, "cut": 3, "halve": 2, "partition": 3, "one_way": 2, "delay": 2, "torn_message": 2,
         "full_disk": 2, "clock": 2, "veth": 2}

# Run by workers as a step of kind exec; every start is a line, so that none goes uncounted.
EFFECT = """#!/bin/sh
attempt=$(tr -d ' \\n' <"$DROVER_JOB" | sed 's/.*"attempt":\\([0-9]*\\).*/\\1/')
echo "start $attempt" >>"$CHAOS_EFFECTS"
sleep 0.2
echo "seed $1 $(cat "${2:-/dev/null}")" >"$DROVER_OUTPUT_MARK_TXT"
echo "{\\"metric\\": \\"marks\\", \\"step\\": 1, \\"value\\": 0.$1}" >&3
echo "end $attempt" >>"$CHAOS_EFFECTS"
"""


class Failure(Exception):
    pass


def say(world, text):
    print(f"[{time.monotonic() - world.began:7.2f}] {text}", flush=True)


# --- processes, ended by their ids whatever happens ---

STARTED = []
MOUNTED = []
HOSTS = []


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def start(argv, log, env=None, prefix=(), **more):
    with open(log, "ab") as out:
        p = subprocess.Popen([*prefix, *map(str, argv)], stdout=more.pop("stdout", out), stderr=out, env=env,
                             preexec_fn=die_with_parent, restore_signals=False, **more)
    STARTED.append(p)
    return p


def end_all():
    for p in STARTED:
        if p.poll() is None:
            p.kill()
            p.wait()
    for host in HOSTS:
        subprocess.run(["ip", "netns", "del", host], stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "link", "del", host], stderr=subprocess.DEVNULL)
    for path in MOUNTED:
        subprocess.run(["umount", "-l", path], stderr=subprocess.DEVNULL)


atexit.register(end_all)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda *_: sys.exit(1))


# --- the log of the store, torn ---

def wal_end(path):
    """Bytes of PATH up to the end of its last committed transaction, as SQLite would find it; all bytes."""
    data = path.read_bytes() if path.exists() else b""
    if len(data) < 32:
        return 0, len(data)
    magic, _, page, _, salt1, salt2, sum1, sum2 = struct.unpack(">8I", data[:32])
    order = ">" if magic & 1 else "<"

    def add(part, s1, s2):
        words = struct.unpack(f"{order}{len(part) // 4}I", part)
        for i in range(0, len(words), 2):
            s1 = (s1 + words[i] + s2) & 0xFFFFFFFF
            s2 = (s2 + words[i + 1] + s1) & 0xFFFFFFFF
        return s1, s2

    s1, s2 = add(data[:24], 0, 0)
    if (s1, s2) != (sum1, sum2):
        return 0, len(data)
    end, at = 32, 32
    while at + 24 + page <= len(data):
        _, commit, frame1, frame2, want1, want2 = struct.unpack(">6I", data[at:at + 24])
        s1, s2 = add(data[at:at + 8], s1, s2)
        s1, s2 = add(data[at + 24:at + 24 + page], s1, s2)
        if (frame1, frame2) != (salt1, salt2) or (s1, s2) != (want1, want2):
            break
        at += 24 + page
        if commit:
            end = at
    return end, len(data)


def tear(path, rng):
    """What a power cut may leave: all that was committed, and anything behind it."""
    end, size = wal_end(path)
    how = rng.choice(["cut off", "overwritten", "half a frame", "garbage behind"])
    with open(path, "r+b") as f:
        if how == "cut off":
            f.truncate(rng.randint(end, size))
        elif how == "overwritten":
            at = rng.randint(end, size)
            f.seek(at)
            f.write(rng.randbytes(min(size - at, 5000)))
        else:
            f.seek(end)
            head = f.read(0) or struct.pack(">2I", 1, 7) + path.read_bytes()[16:24] if how == "half a frame" else b""
            f.seek(end)
            f.write(head + rng.randbytes(rng.randint(1, 9000)))
    return f"{how}: {end} committed bytes of {size} stay"


# --- the coordinator, the workers ---

def free_port():
    """Below those that the kernel gives to outgoing connections: it must be free again after each restart."""
    while True:
        port = random.SystemRandom().randint(10000, 30000)
        with socket.socket() as s:
            try:
                s.bind(("0.0.0.0", port))
                return port
            except OSError:
                continue


class Coordinator:
    def __init__(self, world):
        self.world, self.process, self.listen = world, None, "0.0.0.0" if world.hosts else "127.0.0.1"
        self.port = free_port()
        self.expected, self.starts = True, 0
        self.clock = world.folder / "clock"
        self.clock.write_text("+0\n")

    def start(self):
        ready = self.world.folder / "ready"
        ready.unlink(missing_ok=True)
        env = dict(os.environ)
        if FAKETIME:
            env.update(LD_PRELOAD=str(FAKETIME), FAKETIME_TIMESTAMP_FILE=str(self.clock), FAKETIME_NO_CACHE="1",
                       FAKETIME_DONT_FAKE_MONOTONIC="1", NO_FAKE_STAT="1", FAKETIME_DISABLE_SHM="1")
        self.starts += 1
        self.process = start([BIN / "drover-coordinator", "--store", self.world.store, "--listen", f"tcp://{self.listen}:{self.port}",
                              "--ready-file", ready, *TIMES, *self.world.coordinator_options],
                             self.world.folder / f"coordinator-{self.starts:04}.log", env)
        limit = time.monotonic() + 60
        while not (ready.exists() and ready.stat().st_size):
            if self.process.poll() is not None:
                raise Failure(f"the coordinator did not start: exit code {self.process.returncode}: {self.last_words()}")
            if time.monotonic() > limit:
                raise Failure("the coordinator was not ready after 60 s")
            time.sleep(0.01)
        self.port = ready.read_text().strip().rsplit(":", 1)[1]

    def last_words(self):
        return (self.world.folder / f"coordinator-{self.starts:04}.log").read_text(errors="replace").strip()[-600:]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def alive(self):
        return self.process is not None and self.process.poll() is None


class Worker:
    def __init__(self, world, number):
        self.world, self.number, self.process, self.starts = world, number, None, 0
        self.log = None
        self.host = world.hosts[number] if number < len(world.hosts) else None
        self.proxy = None

    def connect(self, port):
        """Workers in a host of their own have a cable; the others a proxy."""
        if self.host:
            self.endpoint = f"tcp://{self.host['gateway']}:{port}"
            return
        self.proxy = start([BIN / "proxy", f"127.0.0.1:{port}"], self.world.folder / f"proxy-{self.number}.log",
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.endpoint = f"tcp://127.0.0.1:{int(self.proxy.stdout.readline())}"

    def net(self, command):
        self.proxy.stdin.write(command.encode() + b"\n")
        self.proxy.stdin.flush()
        answer = self.proxy.stdout.readline()
        if answer != b"ok\n":
            raise Failure(f"proxy: {answer!r}")

    def cable(self, up):
        subprocess.run(["ip", "link", "set", self.host["name"], "up" if up else "down"], check=True)

    def start(self):
        self.starts += 1
        folder = self.world.folder
        self.log = folder / f"worker-{self.number}-{self.starts:04}.log"
        env = dict(os.environ, CHAOS_EFFECTS=str(folder / "effects"), PATH=f"{folder}/path:{os.environ['PATH']}")
        self.process = start([BIN / "drover-worker", "--coordinator", self.endpoint, "--name", f"w{self.number}", "--slots", "1",
                              "--threads", "1", "--pin", "off", "--cache", folder / f"cache-{self.number}", "--log-level", "debug",
                              "--allow-exec", "--allow-program", "chaos-effect", "--allow-env", "CHAOS_*", *self.world.worker_options],
                             self.log, env, ["ip", "netns", "exec", self.host["name"]] if self.host else [])

    def kill(self):
        self.process.kill()
        self.process.wait()

    def alive(self):
        return self.process is not None and self.process.poll() is None


def make_hosts(wanted, note):
    """Namespaces with a cable to this one, as many as can be had."""
    hosts = []
    if not ROOT or not shutil.which("ip"):
        return hosts
    for i in range(wanted):
        name, net = f"dc{os.getpid() % 100000}-{i}", f"10.{201 + i}.{os.getpid() % 250}"
        steps = [["ip", "netns", "add", name], ["ip", "link", "add", name, "type", "veth", "peer", "name", "e0", "netns", name],
                 ["ip", "addr", "add", f"{net}.1/24", "dev", name], ["ip", "link", "set", name, "up"],
                 ["ip", "-n", name, "addr", "add", f"{net}.2/24", "dev", "e0"], ["ip", "-n", name, "link", "set", "e0", "up"],
                 ["ip", "-n", name, "link", "set", "lo", "up"]]
        HOSTS.append(name)
        for step in steps:
            done = subprocess.run(step, capture_output=True)
            if done.returncode:
                note(f"no network namespace ({done.stderr.decode().strip()}): a proxy stands in for the cable")
                return hosts
        hosts.append({"name": name, "gateway": f"{net}.1"})
    return hosts


class World:
    """One store, one coordinator, some workers, and the work that they are given."""

    def __init__(self, folder, workers, hosts, small_disk):
        self.began, self.folder, self.hosts = time.monotonic(), folder, hosts
        self.coordinator_options, self.worker_options = [], []
        folder.mkdir()
        (folder / "path").mkdir()
        effect = folder / "path/chaos-effect"
        effect.write_text(EFFECT)
        effect.chmod(0o755)
        (folder / "effects").touch()
        disk = folder / "disk"
        disk.mkdir()
        self.small_disk = False
        if small_disk and ROOT:
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", disk], capture_output=True)
            self.small_disk = done.returncode == 0
            if self.small_disk:
                MOUNTED.append(disk)
        self.store = disk / "results.db"
        # Keys of the store's own, as its coordinator makes them: for all that is told an address, not a file.
        os.environ.pop("DROVER_INSECURE", None)
        os.environ.update(DROVER_KEY=f"{self.store}-keys/local.key", DROVER_SERVER_KEY=f"{self.store}-keys/coordinator.pub")
        self.coordinator = Coordinator(self)
        self.coordinator.start()
        self.workers = [Worker(self, i) for i in range(workers)]
        for w in self.workers:
            w.connect(self.coordinator.port)
            w.start()
        self.submitted, self.submitting = [], None

    def recipe(self, seed):
        path = self.folder / f"chaos-{seed}.cfg"
        text = (HERE / "chaos.cfg").read_text()
        path.write_text(text.replace('"system/chaos"', f'"system/chaos-{seed}"').replace("values = [1]", f"values = [{seed}]"))
        return path

    def ask(self, sql):
        """A look into the store; between two looks nobody but the coordinator has it open."""
        db = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=10)
        try:
            return db.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return None  # just now it is being opened, or its disk is full
        finally:
            db.close()

    def open_jobs(self):
        rows = self.ask("SELECT count(*) FROM job WHERE state IN ('WAITING', 'READY')")
        return rows[0][0] if rows else None

    def submit(self):
        """One submission at a time, in the background; said to be taken when the command says so."""
        if self.submitting is None:
            seed = len(self.submitted) + 1
            p = start([BIN / "drover", "submit", self.recipe(seed), "--coordinator", f"tcp://127.0.0.1:{self.coordinator.port}",
                       *self.worker_options], self.folder / "submit.log")
            self.submitting = (p, seed, time.monotonic())
            return
        p, seed, since = self.submitting
        if p.poll() is None and time.monotonic() - since > 30:
            p.kill()
        if p.poll() is not None:
            self.submitting = None
            if p.returncode == 0:
                self.submitted.append(seed)

    def finish(self, limit_s):
        limit = time.monotonic() + limit_s
        while self.submitting:
            self.submit()
            time.sleep(0.05)
        while self.open_jobs() != 0:
            self.watch()
            if time.monotonic() > limit:
                rows = self.ask("SELECT id, kind, state, waiting, tries, losses FROM job WHERE state IN ('WAITING', 'READY') LIMIT 20")
                why = subprocess.run([BIN / "drover", "why", f"j{rows[0][0]}", "--coordinator",
                                      f"tcp://127.0.0.1:{self.coordinator.port}"], capture_output=True, text=True, timeout=30)
                raise Failure(f"jobs did not end within {limit_s} s: {rows}\n{why.stdout}{why.stderr}")
            time.sleep(0.05)

    def watch(self):
        """Nobody may die unasked."""
        if not self.coordinator.alive():
            raise Failure(f"the coordinator ended by itself, code {self.coordinator.process.returncode}: {self.coordinator.last_words()}")
        for w in self.workers:
            if not w.alive():
                raise Failure(f"worker {w.number} ended by itself, code {w.process.returncode}: {w.log.read_text(errors='replace')[-600:]}")

    def stop(self):
        """In good order: both end with 0."""
        for w in self.workers:
            w.process.terminate()
        for p in [*(w.process for w in self.workers), self.coordinator.process]:
            p.terminate()
            try:
                if p.wait(60) != 0:
                    raise Failure(f"exit code {p.returncode} of {p.args[0]} at the end")
            except subprocess.TimeoutExpired:
                raise Failure(f"{p.args[0]} did not end on SIGTERM")
        for w in self.workers:
            if w.proxy:
                w.proxy.stdin.close()
                w.proxy.wait()

    def acked(self):
        """What workers were told is durable, from their logs."""
        lines = set()
        for log in sorted(self.folder.glob("worker-*.log")):
            sent = {}
            for line in log.read_text(errors="replace").splitlines():
                words = dict(w.split("=", 1) for w in line.split(" ") if "=" in w)
                if words.get("event") == "sent":
                    sent[words.get("seq")] = words
                elif words.get("event") == "acked" and words.get("code") == "0" and words.get("seq") in sent:
                    s = sent[words["seq"]]
                    lines.add(f"example {s['attempt']} {s['example']}" if "example" in s else f"result {s['attempt']}")
        path = self.folder / "acked"
        path.write_text("".join(line + "\n" for line in sorted(lines)))
        return path, len(lines)

    def effects(self):
        path = self.folder / "starts"
        path.write_text("".join(line + "\n" for line in (self.folder / "effects").read_text().splitlines() if line.startswith("start ")))
        return path

    def cries(self):
        """Words in logs that no disturbance excuses."""
        for log in self.folder.glob("*.log"):
            for line in log.read_text(errors="replace").splitlines():
                if any(word in line for word in ("Assertion", "Sanitizer", "runtime error:", "event=incident")):
                    raise Failure(f"{log.name}: {line[:300]}")


# --- disturbances: each does its harm and returns (seconds, what undoes it) ---

class Chaos:
    def __init__(self, world, args):
        self.world, self.args, self.rng = world, args, random.Random(args.seed)
        self.counts, self.kills, self.undo = {}, 0, []
        self.busy = set()  # who is being disturbed: "coordinator", worker numbers

    def plan(self):
        """[(when, kind, a random number to draw from)], in order."""
        seconds = self.args.minutes * 60
        events = [(self.rng.uniform(0, seconds), "kill", self.rng.random()) for _ in range(self.args.kills)]
        kinds = [k for k in KINDS if not self.args.only or k in self.args.only]
        others = int(self.args.kills * 0.7) if kinds else 0
        events += [(self.rng.uniform(0, seconds), self.rng.choices(kinds, [KINDS[k] for k in kinds])[0], self.rng.random())
                   for _ in range(others)]
        return sorted(events)

    def later(self, seconds, who, what):
        self.busy.add(who)
        self.undo.append((time.monotonic() + seconds, who, what))

    def undo_due(self, everything=False):
        now = time.monotonic()
        for entry in [u for u in self.undo if everything or u[0] <= now]:
            self.undo.remove(entry)
            self.busy.discard(entry[1])
            entry[2]()

    def free_worker(self, rng, with_proxy=None):
        free = [w for w in self.world.workers if w.number not in self.busy and w.alive() and
                (with_proxy is None or (w.proxy is not None) == with_proxy)]
        return rng.choice(free) if free else None

    def kill(self, rng):
        c = self.world.coordinator
        worker = self.free_worker(rng)
        if (rng.random() < 0.5 or not worker) and "coordinator" not in self.busy:
            c.kill()
            text = ""
            if rng.random() < 0.3:
                text = ", its log " + tear(pathlib.Path(f"{self.world.store}-wal"), rng)
            pause = rng.choice([0, 0.1, 0.5, 1.0])
            self.later(pause, "coordinator", c.start)
            self.kills += 1
            return f"kill -9 coordinator, {pause:g} s{text}"
        if not worker:
            return None
        worker.kill()
        pause = rng.choice([0, 0.2, 1.0, LEASE_S + 1])
        self.later(pause, worker.number, worker.start)
        self.kills += 1
        return f"kill -9 worker {worker.number}, {pause:g} s"

    def stop_worker(self, rng):
        w = self.free_worker(rng)
        if not w:
            return None
        pause = rng.choice([0.5, LEASE_S * 1.5, LEASE_S * 2])
        w.process.send_signal(signal.SIGSTOP)
        self.later(pause, w.number, lambda: w.process.send_signal(signal.SIGCONT))
        return f"SIGSTOP worker {w.number}, {pause:g} s"

    def stop_coordinator(self, rng):
        if "coordinator" in self.busy:
            return None
        pause = rng.choice([0.3, 1.0, LEASE_S * 1.3])
        self.world.coordinator.process.send_signal(signal.SIGSTOP)
        self.later(pause, "coordinator", lambda: self.world.coordinator.process.send_signal(signal.SIGCONT))
        return f"SIGSTOP coordinator, {pause:g} s"

    def link(self, rng, command, pause):
        w = self.free_worker(rng, with_proxy=True)
        if not w:
            return None
        w.net(command)
        self.later(pause, w.number, lambda: w.net("open"))
        return f"link of worker {w.number}: {command}, {pause:g} s"

    def cut(self, rng):
        return self.link(rng, rng.choice(["cut", "refuse"]), rng.choice([0.1, 1.0, LEASE_S * 1.2]))

    def halve(self, rng):
        return self.link(rng, "halve", rng.choice([1.0, LEASE_S * 1.5]))

    def partition(self, rng):
        return self.link(rng, "hold both", rng.choice([0.5, 2.0, LEASE_S * 1.5]))

    def one_way(self, rng):
        return self.link(rng, rng.choice(["hold up", "hold down"]), rng.choice([1.0, LEASE_S * 1.5]))

    def delay(self, rng):
        return self.link(rng, f"delay {rng.choice([20, 200, 1000])}", rng.choice([1.0, 4.0]))

    def torn_message(self, rng):
        return self.link(rng, f"stop {rng.randint(1, 3000)}", 1.0)

    def veth(self, rng):
        """A pulled cable: no packet comes through, nobody is told."""
        w = self.free_worker(rng, with_proxy=False)
        if not w:
            return None
        pause = rng.choice([0.5, 2.0, LEASE_S * 1.5])
        w.cable(False)
        self.later(pause, w.number, lambda: w.cable(True))
        return f"cable of worker {w.number} pulled, {pause:g} s"

    def full_disk(self, rng):
        if "coordinator" in self.busy:
            return None
        c, pause = self.world.coordinator, rng.choice([0.5, 2.0])
        if self.world.small_disk:
            filler = self.world.store.parent / "filler"
            with open(filler, "wb", buffering=0) as f:
                try:
                    while f.write(b"x" * 65536) == 65536:
                        pass
                except OSError:
                    pass

            def room():
                filler.unlink()
                self.restart()
                self.later(1.5, "coordinator", self.restart)  # it may just be about to end
        else:
            # A limit of the process on the length of its files, just above what they have.
            wal = pathlib.Path(f"{self.world.store}-wal")
            size = max(wal_end(wal)[0], self.world.store.stat().st_size) + 8192
            resource.prlimit(c.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

            def room():
                if c.alive():
                    resource.prlimit(c.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                self.restart()
                self.later(1.5, "coordinator", self.restart)
        self.later(pause, "coordinator", room)
        return f"disk full, {pause:g} s"

    def restart(self):
        """A full disk ends the coordinator with a word about it; nothing else may."""
        c = self.world.coordinator
        if c.alive():
            return
        if c.process.returncode != 1 or not any(w in c.last_words().lower() for w in ("no space", "full", "too large")):
            raise Failure(f"the coordinator ended with {c.process.returncode} on a full disk: {c.last_words()}")
        say(self.world, "  the coordinator had ended, and said why: " + c.last_words().splitlines()[-1][-150:])
        c.start()

    def clock(self, rng):
        if not FAKETIME:
            return None
        jump = rng.choice([-86400 * 400, -3600, -5, 5, 3600, 86400 * 400])
        self.world.coordinator.clock.write_text(f"{jump:+d}\n")
        return f"the coordinator's clock jumps to {jump:+d} s"

    def run(self):
        began = time.monotonic()
        events = self.plan()
        while events or self.kills < self.args.kills:
            now = time.monotonic() - began
            self.undo_due()
            for w in self.world.workers:
                if w.number not in self.busy and not w.alive():
                    self.world.watch()
            if "coordinator" not in self.busy and not self.world.coordinator.alive():
                self.world.watch()
            # Work for all, and not more than they can do in some seconds.
            jobs = self.world.open_jobs() if "coordinator" not in self.busy else None
            if self.world.submitting or (jobs is not None and jobs < 25 * len(self.world.workers)):
                self.world.submit()
            if events and events[0][0] <= now:
                _, kind, number = events.pop(0)
                done = getattr(self, kind)(random.Random(number))
                if done is None and kind == "kill":
                    events.insert(0, (now + 0.2, kind, number))  # all are down already: a little later
                elif done is not None:
                    self.counts[kind] = self.counts.get(kind, 0) + 1
                    say(self.world, f"{kind}: {done}")
            time.sleep(0.02)
        while self.undo:
            self.undo_due(everything=True)
            time.sleep(1.5 if self.undo else 0)


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kills", type=int, default=500)
    p.add_argument("--minutes", type=float, default=20.0)
    p.add_argument("--seed", type=int, default=None)
    p.add_argument("--workers", type=int, default=3)
    p.add_argument("--only", type=lambda t: t.split(","), default=None, help="disturbances besides kills: " + ", ".join(KINDS))
    p.add_argument("--keep", action="store_true", help="leave the folder of stores and logs")
    args = p.parse_args()
    for kind in args.only or []:
        if kind not in KINDS and kind != "none":
            p.error(f"no disturbance called {kind}")
    if args.seed is None:
        args.seed = int.from_bytes(os.urandom(4), "big")
    return args


def main():
    args = parse()
    top = pathlib.Path(tempfile.mkdtemp(prefix="drover-chaos-"))
    ok = False
    again = f"--kills {args.kills} --minutes {args.minutes:g} --seed {args.seed} --workers {args.workers}" + (
        f" --only {','.join(args.only)}" if args.only else "")
    print(f"chaos {again}", flush=True)
    try:
        hosts = make_hosts(1 if args.workers > 1 else 0, lambda text: print(text, flush=True))
        print(f"network: {len(hosts)} of {args.workers} workers in a namespace of its own, the others behind a proxy; "
              f"other clocks: {'libfaketime' if FAKETIME else 'no libfaketime here'}", flush=True)
        world = World(top / "chaos", args.workers, hosts, True)
        print(f"full disk: {'a small disk' if world.small_disk else 'a limit on the length of files'}", flush=True)
        chaos = Chaos(world, args)
        chaos.run()
        say(world, f"{chaos.kills} kills; " + ", ".join(f"{n} {k}" for k, n in sorted(chaos.counts.items())) +
            f"; {len(world.submitted)} experiments submitted")
        world.finish(120 + 10 * len(world.submitted) // args.workers)
        for_jobs = world.ask("SELECT count(*), count(DISTINCT attempt.id), sum(outcome = 'LOST'), sum(compared = 'SAME') FROM job "
                             "JOIN attempt ON attempt.job = job.id WHERE 1")[0]
        world.stop()
        acked, promised = world.acked()
        ends = sum(line.startswith("start ") for line in (world.folder / "effects").read_text().splitlines())
        doctor = subprocess.run([BIN / "drover", "doctor", "--store", world.store], capture_output=True, text=True)
        if doctor.returncode:
            raise Failure(f"drover doctor: {doctor.stdout}{doctor.stderr}")
        say(world, f"finished: {world.ask('SELECT count(*) FROM job')[0][0]} jobs, {for_jobs[1]} attempts, {for_jobs[2] or 0} lost, "
                   f"{for_jobs[3] or 0} compared and the same; {promised} acknowledgements, {ends} programs started")
        world.cries()
        told = acked.read_text().count("result ")
        if told < world.ask("SELECT count(*) FROM job")[0][0] * 0.8:
            raise Failure(f"the workers' logs tell of {told} acknowledged results only: what was promised cannot be checked")

        plain = World(top / "plain", 2, [], False)
        while len(plain.submitted) < len(world.submitted):
            plain.submit()
            time.sleep(0.02)
        plain.finish(60 + 10 * len(plain.submitted))
        plain.stop()
        say(plain, "the undisturbed run has finished")
        done = subprocess.run([BIN / "compare", world.store, plain.store, "--acked", acked, "--effects", world.effects()])
        if done.returncode:
            raise Failure("the stores are not the same")
        ok = True
    except Failure as e:
        print(f"FAILED: {e}", flush=True)
    finally:
        keep = args.keep or (not ok and not os.environ.get("CHAOS_CLEAN"))
        for disk in MOUNTED if keep else []:  # it goes with the mount
            shutil.copytree(disk, f"{disk}-kept", ignore=shutil.ignore_patterns("filler"), dirs_exist_ok=True)
        end_all()
        STARTED.clear()
        if keep:
            print(f"stores and logs: {top}; again: tests/system/chaos.py {again}", flush=True)
        else:
            shutil.rmtree(top, ignore_errors=True)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
