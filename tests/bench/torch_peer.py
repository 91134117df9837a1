#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The peer of drover-bench's engine group: a Llama forward pass in PyTorch, float32.

torch_peer.py FOLDER THREADS reads a Hugging Face folder (F32, F16 or BF16) and then obeys lines on its
standard input, answering each with one line:
  ready                    -> "ready" once the weights are loaded
  run BATCH TOKENS TIMES   -> mean seconds of a forward pass, logits of the last position only
  logits BATCH TOKENS      -> the logits of the last prompt, in hexadecimal floats
Token i of prompt b is (7 * i + 3 + 5 * b) % vocab. Matrices that drover stacks are stacked here too.
"""
import json
import struct
import sys
import time

import numpy
import torch

WIDTH = {"F32": 4, "F16": 2, "BF16": 2}


def read_tensors(path):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
    data = numpy.memmap(path, dtype=numpy.uint8, mode="r", offset=8 + size)
    out = {}
    for name, t in header.items():
        if name == "__metadata__":
            continue
        begin, end = t["data_offsets"]
        raw = numpy.array(data[begin:end])
        if t["dtype"] == "BF16":
            x = (raw.view(numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32)
        elif t["dtype"] == "F16":
            x = raw.view(numpy.float16).astype(numpy.float32)
        else:
            x = raw.view(numpy.float32)
        out[name] = torch.from_numpy(x.reshape(t["shape"]))
    return out


class Model:
    def __init__(self, folder):
        with open(folder + "/config.json") as f:
            c = json.load(f)
        w = read_tensors(folder + "/model.safetensors")
        self.heads = c["num_attention_heads"]
        self.kv_heads = c.get("num_key_value_heads", self.heads)
        self.width = c.get("head_dim") or c["hidden_size"] // self.heads
        self.eps = c["rms_norm_eps"]
        self.vocab = c["vocab_size"]
        theta = c.get("rope_theta") or c["rope_parameters"]["rope_theta"]
        half = torch.arange(0, self.width, 2, dtype=torch.float64) / self.width
        self.frequency = theta ** -half
        self.embed = w["model.embed_tokens.weight"]
        self.head = w.get("lm_head.weight", self.embed)
        self.norm = w["model.norm.weight"]
        self.layers = []
        for i in range(c["num_hidden_layers"]):
            p = "model.layers.%d." % i
            a = p + "self_attn."
            self.layers.append((
                w[p + "input_layernorm.weight"],
                torch.cat([w.pop(a + n + "_proj.weight") for n in "qkv"]).contiguous(),
                w[a + "o_proj.weight"],
                w[p + "post_attention_layernorm.weight"],
                torch.cat([w.pop(p + "mlp.%s_proj.weight" % n) for n in ("gate", "up")]).contiguous(),
                w[p + "mlp.down_proj.weight"]))
        self.tables = {}

    def rms(self, x, weight):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * weight

    def table(self, n):
        if n not in self.tables:
            angle = torch.arange(n, dtype=torch.float64)[:, None] * self.frequency[None]
            cos, sin = angle.cos().float(), angle.sin().float()
            mask = torch.full((n, n), float("-inf")).triu(1)
            self.tables[n] = torch.cat([cos, cos], 1), torch.cat([sin, sin], 1), mask
        return self.tables[n]

    def rope(self, x, cos, sin):
        a, b = x.chunk(2, -1)
        return x * cos + torch.cat([-b, a], -1) * sin

    def forward(self, tokens):
        batch, n = tokens.shape
        cos, sin, mask = self.table(n)
        q_width, kv_width = self.heads * self.width, self.kv_heads * self.width
        x = self.embed[tokens]
        for norm1, qkv, out, norm2, gate_up, down in self.layers:
            q, k, v = torch.nn.functional.linear(self.rms(x, norm1), qkv).split([q_width, kv_width, kv_width], -1)
            q = self.rope(q.view(batch, n, self.heads, self.width).transpose(1, 2), cos, sin)
            k = self.rope(k.view(batch, n, self.kv_heads, self.width).transpose(1, 2), cos, sin)
            v = v.view(batch, n, self.kv_heads, self.width).transpose(1, 2)
            if self.heads != self.kv_heads:
                k = k.repeat_interleave(self.heads // self.kv_heads, 1)
                v = v.repeat_interleave(self.heads // self.kv_heads, 1)
            score = torch.matmul(q, k.transpose(2, 3)) / self.width ** 0.5 + mask
            mixed = torch.matmul(score.softmax(-1), v).transpose(1, 2).reshape(batch, n, q_width)
            x = x + torch.nn.functional.linear(mixed, out)
            gate, up = torch.nn.functional.linear(self.rms(x, norm2), gate_up).chunk(2, -1)
            x = x + torch.nn.functional.linear(torch.nn.functional.silu(gate) * up, down)
        return torch.nn.functional.linear(self.rms(x[:, -1], self.norm), self.head)


def main():
    torch.set_grad_enabled(False)
    torch.set_num_threads(int(sys.argv[2]))
    model = Model(sys.argv[1])
    for line in sys.stdin:
        words = line.split()
        if words[0] == "ready":
            print("ready", flush=True)
            continue
        batch, n = int(words[1]), int(words[2])
        tokens = (7 * torch.arange(n)[None] + 3 + 5 * torch.arange(batch)[:, None]) % model.vocab
        model.table(n)
        if words[0] == "run":
            times = int(words[3])
            start = time.perf_counter()
            for _ in range(times):
                model.forward(tokens)
            print("%.9f" % ((time.perf_counter() - start) / times), flush=True)
        else:
            print(" ".join(float(v).hex() for v in model.forward(tokens)[-1]), flush=True)


if __name__ == "__main__":
    main()
