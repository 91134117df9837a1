# SPDX-License-Identifier: Apache-2.0
"""optuna_peer.py FOLDER - optuna with SQLite storage, as store.trials.vs_optuna's peer.

A line with a number N runs N trials (5 parameters, 10 intermediate values, a final value) and answers trials per
second; 0 answers "ready". The sampler is the cheapest there is: what is measured is the storage.
"""
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import optuna  # noqa: E402

optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.create_study(
    storage="sqlite:///" + sys.argv[1] + "/optuna.db", study_name="bench", sampler=optuna.samplers.RandomSampler(seed=1)
)


def run(count):
    start = time.perf_counter()
    for _ in range(count):
        trial = study.ask()
        x = [trial.suggest_float("p%d" % i, 0.0, 1.0) for i in range(5)]
        for step in range(10):
            trial.report(sum(x) + step, step)
        study.tell(trial, sum(x))
    return count / (time.perf_counter() - start)


for line in sys.stdin:
    n = int(line)
    print(run(n) if n else "ready", flush=True)
