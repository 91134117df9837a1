#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The peer of search.vs_torch: the paths of a recorded search, one after the other, in PyTorch.

search_peer.py FOLDER THREADS TRACE reads a Hugging Face folder with prompts.txt (token ids, one prompt per
line) and a trace (trace.h), and then obeys lines on its standard input, answering each with one line:
  ready            -> "ready" once all is loaded
  run BEGIN END    -> seconds for paths BEGIN..END-1, logits of the last position only
  logits I         -> the logits of path I, in hexadecimal floats
"""
import sys
import time

import torch

from torch_peer import Model


def read_trace(path):
    paths = []
    with open(path) as f:
        for line in f:
            words = line.split()
            if words and words[0].isdigit():
                paths += [(int(words[0]), [i for i, c in enumerate(w) for _ in range(int(c))]) for w in words[1:]]
    return paths


def main():
    torch.set_grad_enabled(False)
    torch.set_num_threads(int(sys.argv[2]))
    model = Model(sys.argv[1])
    with open(sys.argv[1] + "/prompts.txt") as f:
        prompts = [torch.tensor([[int(w) for w in line.split()]]) for line in f]
    paths = read_trace(sys.argv[3])
    layers = model.layers

    def forward(path):
        model.layers = [layers[i] for i in path[1]]
        return model.forward(prompts[path[0]])

    for line in sys.stdin:
        words = line.split()
        if words[0] == "ready":
            print("ready", flush=True)
        elif words[0] == "run":
            some = paths[int(words[1]):int(words[2])]
            start = time.perf_counter()
            for path in some:
                forward(path)
            print("%.9f" % (time.perf_counter() - start), flush=True)
        else:
            print(" ".join(float(v).hex() for v in forward(paths[int(words[1])])[-1]), flush=True)


main()
