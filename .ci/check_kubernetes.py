#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks worker/kubernetes.yaml without a cluster: fields and types of batch/v1 Job as far as the file uses them (an unknown field is an error), the
API server's rules on Indexed Jobs and failure policies, and what drover needs: grace, key file, options that the worker has, limits that fit.

usage: check_kubernetes.py [FILE [drover-worker]] | --self-test      exit status: 0 good, 1 findings, 77 no python3-yaml
"""
import copy
import os
import re
import subprocess
import sys

try:
    import yaml
except ImportError:
    print("SKIP no python3-yaml here: ./dev setup")
    sys.exit(77)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Word(str):
    """A string that must match this expression."""


NAME = Word(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_KEY = Word(r"([a-z0-9.-]+/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
QUANTITY = Word(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
ABSOLUTE = Word(r"/[^:]*")
TEXT = Word(r"(?s).+")
COUNT = range(0, 2**31)
MODE = range(0, 0o1000)
LABELS = {LABEL_KEY: TEXT}
RESOURCES = {"cpu": QUANTITY, "memory": QUANTITY, "ephemeral-storage": QUANTITY}
# A dict: an object with these fields ("name!": required); a list: items like its element; a tuple: one of these values; bool, a range, a Word.
CONTAINER = {
    "name!": NAME, "image!": TEXT, "imagePullPolicy": ("Always", "IfNotPresent", "Never"), "command": [TEXT], "args": [TEXT], "workingDir": ABSOLUTE,
    "env": [{"name!": TEXT, "value": TEXT}],
    "resources": {"requests": RESOURCES, "limits": RESOURCES},
    "securityContext": {"allowPrivilegeEscalation": bool, "readOnlyRootFilesystem": bool, "runAsNonRoot": bool, "runAsUser": COUNT, "runAsGroup": COUNT,
                        "privileged": bool, "capabilities": {"add": [TEXT], "drop": [TEXT]}},
    "volumeMounts": [{"name!": NAME, "mountPath!": ABSOLUTE, "readOnly": bool, "subPath": TEXT}],
}
POD = {
    "restartPolicy": ("Never", "OnFailure"), "terminationGracePeriodSeconds": COUNT, "automountServiceAccountToken": bool,
    "enableServiceLinks": bool, "serviceAccountName": NAME, "nodeSelector": LABELS, "priorityClassName": NAME, "activeDeadlineSeconds": COUNT,
    "tolerations": [{"key": TEXT, "operator": ("Exists", "Equal"), "value": TEXT, "effect": ("NoSchedule", "PreferNoSchedule", "NoExecute")}],
    "securityContext": {"runAsNonRoot": bool, "runAsUser": COUNT, "runAsGroup": COUNT, "fsGroup": COUNT,
                        "fsGroupChangePolicy": ("OnRootMismatch", "Always"),
                        "seccompProfile": {"type!": ("RuntimeDefault", "Unconfined", "Localhost")}},
    "containers!": [CONTAINER], "initContainers": [CONTAINER],
    "volumes": [{"name!": NAME, "emptyDir": {"sizeLimit": QUANTITY, "medium": ("", "Memory")},
                 "secret": {"secretName!": NAME, "defaultMode": MODE, "optional": bool, "items": [{"key!": TEXT, "path!": TEXT, "mode": MODE}]}}],
}
JOB = {
    "apiVersion!": ("batch/v1",), "kind!": ("Job",),
    "metadata!": {"name!": NAME, "namespace": NAME, "labels": LABELS, "annotations": LABELS},
    "spec!": {
        "completionMode": ("Indexed", "NonIndexed"), "completions": COUNT, "parallelism": COUNT, "backoffLimit": COUNT, "backoffLimitPerIndex": COUNT,
        "maxFailedIndexes": COUNT, "podReplacementPolicy": ("Failed", "TerminatingOrFailed"), "ttlSecondsAfterFinished": COUNT,
        "activeDeadlineSeconds": COUNT, "suspend": bool,
        "podFailurePolicy": {"rules!": [{
            "action!": ("Ignore", "FailJob", "FailIndex", "Count"),
            "onExitCodes": {"containerName": NAME, "operator!": ("In", "NotIn"), "values!": [range(0, 256)]},
            "onPodConditions": [{"type!": TEXT, "status": ("True", "False", "Unknown")}]}]},
        "template!": {"metadata": {"labels": LABELS, "annotations": LABELS}, "spec!": POD},
    },
}


def shape(value, want, where):
    """Findings on VALUE, which should look like WANT."""
    if isinstance(want, dict):
        if not isinstance(value, dict):
            return [f"{where}: an object is needed"]
        fields = {k.rstrip("!"): v for k, v in want.items() if not isinstance(k, Word)}
        free = next((k for k in want if isinstance(k, Word)), None)
        found = [f"{where}: {k[:-1]} is missing" for k in want if k.endswith("!") and k[:-1] not in value]
        for key, part in value.items():
            if key in fields:
                found += shape(part, fields[key], f"{where}.{key}")
            elif free and re.fullmatch(free, key):
                found += shape(part, want[free], f"{where}.{key}")
            else:
                found.append(f"{where}: no field is named {key}")
        return found
    if isinstance(want, list):
        if not isinstance(value, list):
            return [f"{where}: a list is needed"]
        return [f for i, part in enumerate(value) for f in shape(part, want[0], f"{where}[{i}]")]
    if want is bool:
        good = isinstance(value, bool)
    elif isinstance(want, range):
        good = isinstance(value, int) and not isinstance(value, bool) and value in want
    elif isinstance(want, tuple):
        good = isinstance(value, str) and value in want
    else:
        good = isinstance(value, str) and re.fullmatch(want, value)
    return [] if good else [f"{where}: {value!r} cannot be"]


def number(quantity):
    digits, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity).groups()
    scale = {"": 1, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
    return float(digits) * scale[unit]


def api_rules(spec):
    """What the API server refuses, or would misunderstand in silence."""
    pod, found = spec["template"]["spec"], []
    rules = spec.get("podFailurePolicy", {}).get("rules", [])
    names = [c["name"] for c in pod["containers"]]
    if spec.get("completionMode") != "Indexed" or "completions" not in spec:
        found.append("spec: an Indexed Job with completions is wanted")
    if spec.get("parallelism", 1) > spec.get("completions", 0):
        found.append("spec: more pods at a time than indices")
    if pod.get("restartPolicy") != "Never" and (rules or "backoffLimitPerIndex" in spec):
        found.append("spec: podFailurePolicy and backoffLimitPerIndex need restartPolicy Never")
    if "maxFailedIndexes" in spec and ("backoffLimitPerIndex" not in spec or spec["maxFailedIndexes"] > spec.get("completions", 0)):
        found.append("spec: maxFailedIndexes needs backoffLimitPerIndex, and is at most completions")
    if rules and spec.get("podReplacementPolicy", "Failed") != "Failed":
        found.append("spec: podReplacementPolicy is Failed where there is a podFailurePolicy")
    for i, rule in enumerate(rules):
        codes = rule.get("onExitCodes")
        if (codes is None) == ("onPodConditions" not in rule):
            found.append(f"rule {i}: either exit codes or conditions")
        if codes and codes["values"] != sorted(set(codes["values"])):
            found.append(f"rule {i}: exit codes in order, each once")
        if codes and codes["operator"] == "In" and 0 in codes["values"]:
            found.append(f"rule {i}: 0 is no failure")
        if codes and codes.get("containerName", names[0]) not in names:
            found.append(f"rule {i}: no container is named {codes['containerName']}")
        if rule["action"] == "FailIndex" and "backoffLimitPerIndex" not in spec:
            found.append(f"rule {i}: FailIndex needs backoffLimitPerIndex")
    volumes = [v["name"] for v in pod.get("volumes", [])]
    mounts = [m["name"] for c in pod["containers"] for m in c.get("volumeMounts", [])]
    found += [f"volume {n}: twice" for n in set(volumes) if volumes.count(n) > 1]
    found += [f"mount {n}: no such volume" for n in set(mounts) - set(volumes)] + [f"volume {n}: nobody mounts it" for n in set(volumes) - set(mounts)]
    found += [f"volume {v['name']}: one source is needed" for v in pod.get("volumes", []) if len(v) != 2]
    for c in pod["containers"]:
        limits = c.get("resources", {}).get("limits", {})
        for what, wanted in c.get("resources", {}).get("requests", {}).items():
            if what in limits and number(wanted) > number(limits[what]):
                found.append(f"{c['name']}: asks for more {what} than its limit")
    return found


def drover_rules(spec, options):
    """What drover-worker needs."""
    pod, found = spec["template"]["spec"], []
    worker = next((c for c in pod["containers"] if c["name"] == "worker"), None)
    if worker is None or worker.get("command", [""])[0].rsplit("/")[-1] != "drover-worker":
        return ["the container worker runs drover-worker, as process 1"]
    args = dict(a[2:].split("=", 1) if "=" in a else (a[2:], "") for a in worker.get("args", []))
    rules = spec.get("podFailurePolicy", {}).get("rules", [])
    ignored = [r for r in rules if r["action"] == "Ignore"]
    if not any(c["type"] == "DisruptionTarget" for r in ignored for c in r.get("onPodConditions", [])):
        found.append("preemption (DisruptionTarget) is no failure: ignore it")
    if not any(75 in r.get("onExitCodes", {}).get("values", []) for r in ignored):
        found.append("exit code 75 is no failure: ignore it")
    if pod.get("terminationGracePeriodSeconds", 30) < int(args.get("grace", 10)) + 10:
        found.append("terminationGracePeriodSeconds leaves less than 10 s after --grace")
    limits = worker.get("resources", {}).get("limits", {})
    if "memory" not in limits or "cpu" not in limits:
        found.append("limits on cpu and memory are wanted: the worker takes its share from them")
    elif int(args.get("slots", 1)) * int(args.get("threads", 1)) > number(limits["cpu"]):
        found.append("more threads than the cpu limit")
    for a in worker.get("args", []):
        if options is not None and a.split("=")[0] not in options:
            found.append(f"drover-worker has no option {a.split('=')[0]}")
    mounts = {m["mountPath"]: m for m in worker.get("volumeMounts", [])}
    volumes = {v["name"]: v for v in pod.get("volumes", [])}
    connect = mounts.get(os.path.dirname(args.get("connect", "")))
    secret = volumes[connect["name"]].get("secret") if connect else None
    if not secret or os.path.basename(args["connect"]) not in [i["path"] for i in secret.get("items", [])]:
        found.append("--connect is a file of the secret")
    elif secret.get("defaultMode", 0o644) & ~0o440 or not connect.get("readOnly"):
        found.append("the secret is mounted read-only with mode 0400: drover believes no key that others may read")
    cache = mounts.get(args.get("cache", ""))
    if not cache or number(volumes[cache["name"]].get("emptyDir", {}).get("sizeLimit", "0")) < 10 * 2**30:
        found.append("--cache is a volume of more than 10 GiB, what drover keeps")
    own, all_of = worker.get("securityContext", {}), pod.get("securityContext", {})
    if not (all_of.get("runAsNonRoot") and all_of.get("runAsUser") and all_of.get("fsGroup") and own.get("readOnlyRootFilesystem")
            and own.get("allowPrivilegeEscalation") is False and "ALL" in own.get("capabilities", {}).get("drop", [])):
        found.append("no root, no privileges, a root file system to read, and an fsGroup that may read the secret")
    return found


def findings(job, options=None):
    found = shape(job, JOB, "job")
    return found or api_rules(job["spec"]) + drover_rules(job["spec"], options)


def self_test(job):
    """Each of these faults is found."""
    faults = {
        "no field is named completion": lambda j: j["spec"].update(completion=8),
        "cannot be": lambda j: j["spec"].update(completions="8"),
        "is missing": lambda j: j["spec"]["template"]["spec"]["containers"][0].pop("image"),
        "Indexed Job": lambda j: j["spec"].update(completionMode="NonIndexed"),
        "need restartPolicy Never": lambda j: j["spec"]["template"]["spec"].update(restartPolicy="OnFailure"),
        "maxFailedIndexes": lambda j: j["spec"].update(maxFailedIndexes=9),
        "either exit codes": lambda j: j["spec"]["podFailurePolicy"]["rules"][0].pop("onPodConditions"),
        "no container is named": lambda j: j["spec"]["podFailurePolicy"]["rules"][1]["onExitCodes"].update(containerName="pilot"),
        "preemption": lambda j: j["spec"]["podFailurePolicy"]["rules"].pop(0),
        "75": lambda j: j["spec"]["podFailurePolicy"]["rules"].pop(1),
        "leaves less than 10 s": lambda j: j["spec"]["template"]["spec"].update(terminationGracePeriodSeconds=60),
        "more threads": lambda j: j["spec"]["template"]["spec"]["containers"][0]["args"].append("--slots=64"),
        "no option": lambda j: j["spec"]["template"]["spec"]["containers"][0]["args"].append("--idle=300"),
        "mode 0400": lambda j: j["spec"]["template"]["spec"]["volumes"][0]["secret"].update(defaultMode=0o444),
        "no such volume": lambda j: j["spec"]["template"]["spec"]["volumes"].pop(2),
        "more memory than": lambda j: j["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"].update(memory="9Gi"),
        "no root": lambda j: j["spec"]["template"]["spec"]["securityContext"].pop("runAsNonRoot"),
        "10 GiB": lambda j: j["spec"]["template"]["spec"]["volumes"][1]["emptyDir"].update(sizeLimit="9Gi"),
    }
    options = {a.split("=")[0] for a in job["spec"]["template"]["spec"]["containers"][0]["args"]}
    missed = [] if not findings(job, options) else ["the file itself is refused"]
    for words, spoil in faults.items():
        spoiled = copy.deepcopy(job)
        spoil(spoiled)
        if not any(words in f for f in findings(spoiled, options)):
            missed.append(f"not found: {words}; found {findings(spoiled, options)}")
    return missed


def main(argv):
    testing = argv[1:] == ["--self-test"]
    path = argv[1] if len(argv) > 1 and not testing else os.path.join(ROOT, "worker", "kubernetes.yaml")
    with open(path, encoding="utf-8") as f:
        jobs = list(yaml.safe_load_all(f))
    options = None
    if len(argv) > 2:
        text = subprocess.run([argv[2], "--manual=options"], capture_output=True, text=True, check=True).stdout
        options = {line.split("=")[0] for line in text.split("\n") if line}
    if len(jobs) != 1:
        found = [f"one Job is wanted, not {len(jobs)} documents"]
    else:
        found = self_test(jobs[0]) if testing else findings(jobs[0], options)
    for f in found:
        print(f"{path}: {f}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
