#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The peer of drover-bench's train group: training steps and sampling with a cache, in PyTorch.

train_peer.py FOLDER THREADS reads a Hugging Face folder (F32) and then obeys lines on its standard input,
answering each with one line:
  ready                              -> "ready" once the weights are loaded
  step BATCH TOKENS TIMES            -> mean seconds of a step (forward, backward, clipping, AdamW), loss of the last
  sample GROUPS SIZE PROMPT NEW      -> seconds to sample NEW tokens for GROUPS x SIZE prompts of PROMPT, tokens in all
  greedy PROMPT NEW                  -> the NEW most likely tokens behind prompt 0
Token i of sequence b is (7 * i + 3 + 5 * b) % vocab, and every row's target is the token that follows.
"""
import sys
import time

import torch

from torch_peer import Model


class Trained(Model):
    def __init__(self, folder):
        super().__init__(folder)
        tensors = [self.embed, self.norm] + [t for layer in self.layers for t in layer]
        if self.head is not self.embed:
            tensors.append(self.head)
        for t in tensors:
            t.requires_grad_(True)
        decayed = [t for t in tensors if t.dim() > 1]
        plain = [t for t in tensors if t.dim() == 1]
        self.tensors = tensors
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}],
            lr=1e-4, betas=(0.9, 0.98), eps=1e-8, foreach=True)

    def block(self, x, layer, cos, sin, attend):
        batch, n, _ = x.shape
        norm1, qkv, out, norm2, gate_up, down = layer
        q_width, kv_width = self.heads * self.width, self.kv_heads * self.width
        q, k, v = torch.nn.functional.linear(self.rms(x, norm1), qkv).split([q_width, kv_width, kv_width], -1)
        q = self.rope(q.view(batch, n, self.heads, self.width).transpose(1, 2), cos, sin)
        k = self.rope(k.view(batch, n, self.kv_heads, self.width).transpose(1, 2), cos, sin)
        v = v.view(batch, n, self.kv_heads, self.width).transpose(1, 2)
        mixed = attend(q, k, v).transpose(1, 2).reshape(batch, n, q_width)
        x = x + torch.nn.functional.linear(mixed, out)
        gate, up = torch.nn.functional.linear(self.rms(x, norm2), gate_up).chunk(2, -1)
        return x + torch.nn.functional.linear(torch.nn.functional.silu(gate) * up, down)

    def logits(self, x):
        return torch.nn.functional.linear(self.rms(x, self.norm), self.head)

    def share(self, k):
        return k if self.heads == self.kv_heads else k.repeat_interleave(self.heads // self.kv_heads, 1)

    def step(self, tokens, target):
        n = tokens.shape[1]
        cos, sin, mask = self.table(n)

        def attend(q, k, v):
            score = torch.matmul(q, self.share(k).transpose(2, 3)) / self.width ** 0.5 + mask
            return torch.matmul(score.softmax(-1), self.share(v))

        x = self.embed[tokens]
        for layer in self.layers:
            x = self.block(x, layer, cos, sin, attend)
        loss = torch.nn.functional.cross_entropy(self.logits(x).flatten(0, 1), target.flatten())
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.tensors, 1.0)
        self.optimiser.step()
        return loss.item()

    @torch.no_grad()
    def sample(self, tokens, new, greedy=False):
        batch, n = tokens.shape
        total = n + new
        cos, sin, mask = self.table(total)
        cache = [torch.zeros(2, batch, self.kv_heads, total, self.width) for _ in self.layers]
        out, at, rows = [], 0, tokens
        for _ in range(new):
            m = rows.shape[1]
            x = self.embed[rows]
            for layer, kept in zip(self.layers, cache):
                def attend(q, k, v):
                    kept[0, :, :, at:at + m] = k
                    kept[1, :, :, at:at + m] = v
                    keys, values = self.share(kept[0, :, :, :at + m]), self.share(kept[1, :, :, :at + m])
                    score = torch.matmul(q, keys.transpose(2, 3)) / self.width ** 0.5
                    if m > 1:
                        score = score + mask[at:at + m, :at + m]
                    return torch.matmul(score.softmax(-1), values)

                x = self.block(x, layer, cos[at:at + m], sin[at:at + m], attend)
            logits = self.logits(x[:, -1])
            at += m
            rows = logits.argmax(-1, True) if greedy else torch.multinomial(logits.softmax(-1), 1)
            out.append(rows)
        return torch.cat(out, 1)


def tokens_of(vocab, first, batch, n):
    return (7 * (first + torch.arange(n))[None] + 3 + 5 * torch.arange(batch)[:, None]) % vocab


def main():
    torch.set_num_threads(int(sys.argv[2]))
    model = Trained(sys.argv[1])
    for line in sys.stdin:
        words = line.split()
        numbers = [int(w) for w in words[1:]]
        start = time.perf_counter()
        if words[0] == "ready":
            print("ready", flush=True)
        elif words[0] == "step":
            batch, n, times = numbers
            tokens, target = tokens_of(model.vocab, 0, batch, n), tokens_of(model.vocab, 1, batch, n)
            for _ in range(times):
                loss = model.step(tokens, target)
            print("%.9f %.9f" % ((time.perf_counter() - start) / times, loss), flush=True)
        elif words[0] == "sample":
            groups, size, prompt, new = numbers
            found = model.sample(tokens_of(model.vocab, 0, groups, prompt).repeat_interleave(size, 0), new)
            print("%.9f %d" % (time.perf_counter() - start, found.numel()), flush=True)
        else:
            found = model.sample(tokens_of(model.vocab, 0, 1, numbers[0]), numbers[1], greedy=True)
            print(" ".join(str(v) for v in found[0].tolist()), flush=True)


main()
