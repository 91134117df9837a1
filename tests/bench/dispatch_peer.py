# SPDX-License-Identifier: Apache-2.0
"""dispatch_peer.py dask|optuna - peers of the group "dispatch".

A line with a number N runs N jobs that do nothing and answers jobs per second; 0 answers "ready".

dask: a LocalCluster of two processes with one thread each on loopback; the clock runs from the first submission to the
last result. optuna: trials of one parameter in a study in an SQLite file, the random sampler, one process.
"""
import os
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")


def serve(run):
    for line in sys.stdin:
        n = int(line)
        answer = "ready"
        if n:
            start = time.perf_counter()
            run(n)
            answer = n / (time.perf_counter() - start)
        print(answer, flush=True)


def noop(i):
    return i


def dask(folder):
    import dask

    dask.config.set({"temporary-directory": folder, "logging": {"distributed": "critical"}})
    from distributed import Client, LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster, Client(cluster) as client:
        client.gather(client.map(noop, range(10), pure=False))
        serve(lambda n: client.gather(client.map(noop, range(n), pure=False)))


def optuna(folder):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage="sqlite:///" + os.path.join(folder, "optuna.db"), sampler=optuna.samplers.RandomSampler(seed=1)
    )
    serve(lambda n: study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=n))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        {"dask": dask, "optuna": optuna}[sys.argv[1]](scratch)
