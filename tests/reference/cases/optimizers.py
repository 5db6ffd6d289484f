"""Update rules: 100 steps of 16 parameters on one fixed sequence of gradients."""

import math

import numpy as np
import torch

from .book import f32, stream

STEPS, COUNT = 100, 16
KEPT = (1, 2, 3, 10, 100)

UNIT = 2.0**-24  # the relative error of one rounded operation
TINY = 2.0**-149  # the smallest float32: an underflow is off by at most that
CORRECTION = 4  # roundings in Adam's 1 - beta^t, whose relative error must not grow as beta^t comes near one


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


def bound(rule, w0, gradients):
    """How far a float32 implementation may be from the truth after each step: a running error analysis.

    Beside each quantity runs the error that it may have: what its arguments' errors become, and UNIT times its size for each
    rounded operation, with sums sized by absolute values. The counts allow any sensible order of the formulas (and second-order
    terms); sizes follow the true path. Returns the bounds of the kept steps and the final weights of these formulas.
    """
    w, g = w0.astype(np.float64), gradients.astype(np.float64)
    rate, decay, momentum = rule["lr"], rule.get("weight_decay", 0.0), rule.get("momentum", 0.0)
    kind, rows = rule["rule"], []
    decoupled = kind == "adamw"
    w_error, m, m_size, m_error, v_error, mean, mean_size, mean_error = (np.zeros(COUNT) for _ in range(8))
    v = np.full(COUNT, rule.get("initial_accumulator_value", 0.0))
    w = w.copy()
    for t in range(1, STEPS + 1):
        l2 = 0.0 if decoupled else decay
        d, size = g[t - 1] + l2 * w, abs(g[t - 1]) + l2 * abs(w)
        d_error = l2 * w_error + (3 * UNIT * size if l2 else 0)
        if kind == "sgd":
            m, m_size = momentum * m + d, momentum * m_size + size
            m_error = momentum * m_error + d_error + (3 * UNIT * m_size if momentum else 0)
            top, top_size, top_error = m, m_size, m_error
            if rule.get("nesterov"):
                top, top_size = d + momentum * m, size + momentum * m_size
                top_error = d_error + momentum * m_error + 3 * UNIT * top_size
            root, root_error = 1.0, 0.0
        else:
            b1, b2 = rule.get("betas", (0.0, rule.get("alpha")))
            keep, share = (1.0, 1.0) if kind == "adagrad" else (b2, 1 - b2)
            v = keep * v + share * d * d
            v_error = keep * v_error + share * 2 * abs(d) * d_error + 5 * UNIT * v + 2 * TINY
            c1, c2 = (1 - b1**t, 1 - b2**t) if b1 else (1.0, 1.0)
            seen, seen_error = v / c2, v_error / c2 + CORRECTION * UNIT * v / c2
            if rule.get("centered"):
                mean, mean_size = b2 * mean + (1 - b2) * d, b2 * mean_size + (1 - b2) * size
                mean_error = b2 * mean_error + (1 - b2) * d_error + 4 * UNIT * mean_size
                seen_error = seen_error + 2 * abs(mean) * mean_error + 3 * UNIT * (seen + mean**2) + TINY
                seen = seen - mean**2
            root = np.sqrt(seen) + rule["eps"]
            root_error = np.sqrt(seen) - np.sqrt(np.maximum(seen - seen_error, 0)) + 2 * UNIT * root
            if kind == "rmsprop" and momentum:  # of what the root has divided; nothing divides it again
                m, m_size = momentum * m + d / root, momentum * m_size + size / root
                m_error = momentum * m_error + (d_error + size * (root_error / root + 2 * UNIT)) / root + 3 * UNIT * m_size
                root, root_error = 1.0, 0.0
            else:
                m, m_size = b1 * m + (1 - b1) * d, b1 * m_size + (1 - b1) * size
                m_error = b1 * m_error + (1 - b1) * d_error + (4 * UNIT * m_size if b1 else 0)
            top, top_size, top_error = m / c1, m_size / c1, m_error / c1 + CORRECTION * UNIT * m_size / c1
        slower = 1 + (t - 1) * rule.get("lr_decay", 0.0)
        step = rate / slower * top / root
        step_error = rate / slower / root * (top_error + top_size * (root_error / root + (5 + 3 * (slower > 1)) * UNIT))
        if decoupled:
            step = step + rate * decay * w
            step_error = step_error + rate * decay * (w_error + 4 * UNIT * abs(w)) + UNIT * abs(w)
        w = w - step
        w_error = w_error + step_error + UNIT * abs(w)
        if t in KEPT:
            rows.append(w_error.copy())
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
        "rmsprop_momentum": dict(rule="rmsprop", lr=f32(0.01), alpha=f32(0.99), eps=f32(1e-8), momentum=f32(0.9)),
        "rmsprop_centered": dict(rule="rmsprop", lr=f32(0.01), alpha=f32(0.9), eps=f32(1e-4), centered=True),
        "rmsprop_weight_decay": dict(rule="rmsprop", lr=f32(0.01), alpha=f32(0.9), eps=f32(1e-8), weight_decay=f32(0.01)),
        "adagrad_slower": dict(rule="adagrad", lr=f32(0.05), eps=f32(1e-10), lr_decay=f32(0.02), weight_decay=f32(0.01),
                               initial_accumulator_value=f32(0.1)),
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
        allowed, end = bound(rule, w0, g)
        # The formulas above are ours; they must agree with torch's before they may bound anything.
        assert all(math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a, b in zip(end, double[-1].tolist())), name
        betas = dict(zip(("beta1", "beta2"), options.pop("betas", ())))
        book.case(name, rule=rule["rule"], **options, **betas)
        book.result(f"{name}/weights", single, double)
        book.put(f"{name}/weights.bound", allowed, np.float64)
        used = (abs(single.numpy() - double.numpy()) / allowed).max()
        assert 0.02 < used <= 1, f"{name}: torch's float32 uses {used:.2f} of the bound"
