#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One stage of a curriculum with torchtune, as an exec step: torchtune_stage.py --from=MODEL --to=MODEL --recipe=R --config=C
--processes=N KEY=VALUE... Runs `tune run`, hands its metrics (DiskLogger's lines) to drover, and leaves one flat Hugging Face folder."""
import argparse
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

LINE = re.compile(r"Step (\d+) \| (.*)")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("from", "to", "recipe", "config"):
        parser.add_argument("--" + name, required=True, dest=name)
    parser.add_argument("--processes", default="1")
    parser.add_argument("overrides", nargs="*")
    return vars(parser.parse_args())


def tell(out, line):
    """'Step 3 | loss:0.5 lr:0.001 ' as {"step": 3, "loss": 0.5, "lr": 0.001}."""
    match = LINE.match(line)
    values = {"step": int(match.group(1))} if match else {}
    for part in match.group(2).split() if match else []:
        name, _, value = part.rpartition(":")
        try:
            values[name] = float(value)
        except ValueError:
            continue
    if len(values) > 1:
        out.write(json.dumps(values) + "\n")
        out.flush()
    return any(not math.isfinite(v) for v in values.values())


def follow(process, log, out):
    """Until the process ends: its new metrics, line by line. True: one was not finite."""
    bad, place, over = False, 0, False
    while not over:
        over = process.poll() is not None
        if log.exists():
            with open(log, encoding="utf-8", errors="replace") as f:
                f.seek(place)
                while (line := f.readline()).endswith("\n"):
                    place = f.tell()
                    bad |= tell(out, line)
        if not over:
            time.sleep(1 if os.environ.get("DROVER_PARAM_POLL_S") is None else float(os.environ["DROVER_PARAM_POLL_S"]))
    return bad


def newest(folder):
    """The last epoch's folder, or the folder itself."""
    epochs = sorted(folder.glob("epoch_*"), key=lambda p: int(p.name.split("_")[1]))
    return epochs[-1] if epochs else folder


def main():
    a = arguments()
    made, log = pathlib.Path("made").absolute(), pathlib.Path("metrics.txt").absolute()
    made.mkdir(exist_ok=True)
    command = ["tune", "run", "--nproc_per_node", a["processes"], a["recipe"], "--config", a["config"],
               f"checkpointer.checkpoint_dir={a['from']}", f"tokenizer.path={a['from']}/vocab.json",
               f"tokenizer.merges_file={a['from']}/merges.txt", f"output_dir={made}",
               "metric_logger._component_=torchtune.training.metric_logging.DiskLogger",
               f"metric_logger.log_dir={log.parent}", f"metric_logger.filename={log.name}", *a["overrides"]]
    with os.fdopen(int(os.environ["DROVER_METRICS_FD"]), "w", encoding="utf-8") as out:
        process = subprocess.Popen(command)
        bad = follow(process, log, out)
        if bad:
            out.write(json.dumps({"diverged": "a metric is not finite"}) + "\n")
    if process.returncode:
        return process.returncode if process.returncode > 0 else 128 - process.returncode
    to = pathlib.Path(a["to"])
    to.mkdir()
    for source in (pathlib.Path(a["from"]), newest(made)):  # the tokenizer stays, the weights are new
        for file in source.iterdir():
            weights = file.name.endswith((".safetensors", ".safetensors.index.json", ".bin"))
            if file.is_file() and not file.name.startswith(".") and not (weights and source == pathlib.Path(a["from"])):
                shutil.copyfile(file, to / file.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
