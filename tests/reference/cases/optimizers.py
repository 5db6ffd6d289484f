"""Update rules: 100 steps of 16 parameters on one fixed sequence of gradients."""

import math

import numpy as np
import torch

from .book import f32, stream

STEPS, COUNT = 100, 16
KEPT = (1, 2, 3, 10, 100)


def sequence():
    """Gradients `[100, 16]`: ordinary ones, and columns that a rule may trip over."""
    g = stream("optimizer gradients").standard_normal((STEPS, COUNT))
    g[:, 0] = 0.0  # never a gradient: 0 / (0 + epsilon)
    g[:, 1] *= 1e-20  # its square is below the smallest normal float32
    g[:, 2] *= 1e-9  # near Adam's epsilon
    g[:, 3] *= 1e4
    g[:, 4] *= np.arange(STEPS) % 7 == 6  # rare: a state that decays between
    g[:, 5] = np.where(np.arange(STEPS) % 2, 1.0, -1.0)  # cancels in a momentum
    g[:, 6] = 0.25  # constant
    g[:, 7] *= np.where(np.arange(STEPS) < 50, 1.0, 0.0)  # falls silent
    g[:, 8] *= np.where(np.arange(STEPS) == 20, 1e3, 1e-2)  # one outlier
    return g.astype(np.float32)


def train(make, w0, gradients, dtype):
    w = torch.tensor(w0, dtype=dtype).requires_grad_()
    optimizer, rows = make([w]), []
    for step in range(STEPS):
        w.grad = torch.tensor(gradients[step], dtype=dtype)
        optimizer.step()
        if step + 1 in KEPT:
            rows.append(w.detach().clone())
    return torch.stack(rows)


def travel(rule, w0, gradients):
    """The sum of step sizes with every sum made of absolute values: what a relative rounding error is relative to.

    The weights follow their true path (their decay is counted by their absolute value); the momenta are sums of |gradient|.
    """
    w, g = w0.astype(np.float64), gradients.astype(np.float64)
    rate, decay, momentum = rule["lr"], rule.get("weight_decay", 0.0), rule.get("momentum", 0.0)
    kind, rows = rule["rule"], []
    m, mabs, v, sum_ = np.zeros(COUNT), np.zeros(COUNT), np.zeros(COUNT), np.zeros(COUNT)
    for t in range(1, STEPS + 1):
        d = g[t - 1] + (0.0 if kind == "adamw" else decay * w)
        size = abs(g[t - 1]) + (0.0 if kind == "adamw" else decay * abs(w))
        if kind == "sgd":
            m, mabs = (d, size) if t == 1 else (momentum * m + d, momentum * mabs + size)
            nesterov = rule.get("nesterov", False)
            step, big = (d + momentum * m, size + momentum * mabs) if nesterov else (m, mabs)
            step, big = rate * step, rate * big
        elif kind == "adagrad":
            v += d * d
            step, big = (rate * part / (np.sqrt(v) + rule["eps"]) for part in (d, size))
        elif kind == "rmsprop":
            v = rule["alpha"] * v + (1 - rule["alpha"]) * d * d
            step, big = (rate * part / (np.sqrt(v) + rule["eps"]) for part in (d, size))
        else:
            b1, b2 = rule["betas"]
            m, mabs, v = b1 * m + (1 - b1) * d, b1 * mabs + (1 - b1) * size, b2 * v + (1 - b2) * d * d
            root = np.sqrt(v / (1 - b2**t)) + rule["eps"]
            step, big = (rate * part / (1 - b1**t) / root for part in (m, mabs))
            if kind == "adamw":
                step, big = step + rate * decay * w, big + rate * decay * abs(w)
        sum_, w = sum_ + big, w - step
        if t in KEPT:
            rows.append(sum_.copy())
    return np.array(rows), w


def build(book):
    g, w0 = sequence(), stream("optimizer weights").standard_normal(COUNT).astype(np.float32)
    book.case("sequence", steps=STEPS, kept=KEPT)
    book.put("sequence/gradients", g)
    book.put("sequence/initial", w0)
    sgd = dict(rule="sgd", lr=f32(0.05))
    adam = dict(lr=f32(0.001), betas=(f32(0.9), f32(0.999)), eps=f32(1e-8))
    for name, rule in {
        "sgd": sgd,
        "sgd_weight_decay": sgd | dict(weight_decay=f32(0.01)),
        "momentum": sgd | dict(momentum=f32(0.9)),
        "momentum_weight_decay": sgd | dict(momentum=f32(0.9), weight_decay=f32(0.01)),
        "nesterov": sgd | dict(momentum=f32(0.9), nesterov=True),
        "nesterov_weight_decay": sgd | dict(momentum=f32(0.8), nesterov=True, weight_decay=f32(0.01)),
        "rmsprop": dict(rule="rmsprop", lr=f32(0.01), alpha=f32(0.99), eps=f32(1e-8)),
        "adagrad": dict(rule="adagrad", lr=f32(0.05), eps=f32(1e-10)),
        "adam": dict(rule="adam") | adam,
        "adam_weight_decay": dict(rule="adam", weight_decay=f32(0.01)) | adam,
        "adamw": dict(rule="adamw", weight_decay=f32(0.01)) | adam,
    }.items():
        kinds = dict(sgd=torch.optim.SGD, rmsprop=torch.optim.RMSprop, adagrad=torch.optim.Adagrad,
                     adam=torch.optim.Adam, adamw=torch.optim.AdamW)
        options = {key: value for key, value in rule.items() if key != "rule"}
        make = lambda parameters: kinds[rule["rule"]](parameters, foreach=False, **options)
        single, double = (train(make, w0, g, dtype) for dtype in (torch.float32, torch.float64))
        size, end = travel(rule, w0, g)
        # The formulas above are ours; they must agree with torch's before they may bound anything.
        assert all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a, b in zip(end, double[-1].tolist())), name
        betas = dict(zip(("beta1", "beta2"), options.pop("betas", ())))
        book.case(name, rule=rule["rule"], **options, **betas)
        book.result(f"{name}/weights", single, double)
        book.put(f"{name}/weights.travel", size, np.float64)
