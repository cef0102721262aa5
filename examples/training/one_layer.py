#!/usr/bin/env python3
"""Trains one Monarch Mixer layer in Python on the project's operators, to copy its input three tokens later.

    make train
    .venv/bin/python examples/training/one_layer.py build/release/libm2_torch_ops.so
"""
import sys

import torch

torch.ops.load_library(sys.argv[1])
operators = torch.ops.m2
torch.manual_seed(1)

TEXTS, LENGTH, WIDTH, SHIFT = 8, 64, 32, 3


def parameter(*shape, scale=0.2):
    return torch.nn.Parameter(scale * torch.randn(*shape))


project = torch.nn.Linear(WIDTH, 3 * WIDTH)
mix = torch.nn.Linear(WIDTH, WIDTH)
short = parameter(3 * WIDTH, 1, 3), parameter(3 * WIDTH)
filters = [(parameter(LENGTH, WIDTH), parameter(LENGTH, WIDTH), parameter(WIDTH)) for _ in range(2)]


def layer(u):
    x1, x2, v = operators.short_conv(project(u), *short).chunk(3, -1)
    return mix(operators.long_conv(x1, x2, v, *filters[0], u, *filters[1]))


parameters = [*project.parameters(), *mix.parameters(), *short, *filters[0], *filters[1]]
optimizer = torch.optim.AdamW(parameters, lr=1e-2)
for step in range(1, 201):
    u = torch.randn(TEXTS, LENGTH, WIDTH)
    loss = ((layer(u)[:, SHIFT:] - u[:, :-SHIFT]) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step}: loss {loss.item():.4f}")
