#!/usr/bin/env python3
"""What the host's own schedules, optimizers, losses and averages must give, by PyTorch in float64 (Lion and LAMB, which it
hasn't, by their papers' formulas in numpy).

    python tests/reference/make_training.py            # writes tests/reference/vectors/training.json
    python tests/reference/make_training.py --check    # recomputes and compares with what is committed

Every setting is the float64 value of the nearest float32, so that a float32 implementation starts from the same numbers.
"""

import json
import pathlib
import sys

import numpy
import torch

PATH = pathlib.Path(__file__).parent / "vectors" / "training.json"
torch.set_default_dtype(torch.float64)


def single(x):
    return float(numpy.float32(x))


BASE, MINIMUM, STEPS = single(0.1), single(0.01), 60


def rates(make, steps=STEPS):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE, momentum=0.5)
    scheduler = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def schedules():
    s = torch.optim.lr_scheduler
    return {
        "linear": rates(lambda o: s.LinearLR(o, 1.0, MINIMUM / BASE, 40)),
        "polynomial": rates(lambda o: s.PolynomialLR(o, 40, single(2.0))),
        "cosine": rates(lambda o: s.CosineAnnealingLR(o, 40, MINIMUM))[:41],
        "cosine_restarts_2": rates(lambda o: s.CosineAnnealingWarmRestarts(o, 7, 2, MINIMUM)),
        "cosine_restarts_1": rates(lambda o: s.CosineAnnealingWarmRestarts(o, 5, 1, MINIMUM)),
        "one_cycle": rates(lambda o: s.OneCycleLR(o, BASE, STEPS, pct_start=single(0.3)), STEPS - 1),
    }


def plateaus():
    cases = []
    for mode, patience, cooldown, minimum, threshold in [
        ("min", 2, 0, 0.0, 1e-4),
        ("min", 1, 2, single(0.02), 0.05),
        ("max", 0, 1, 0.0, 0.01),
    ]:
        figures = [round(float(x), 3) for x in numpy.random.RandomState(7 + patience).uniform(0.2, 1.0, 30)]
        figures = figures[:12] + [0.5] * 18
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode, factor=0.5, patience=patience, threshold=threshold, cooldown=cooldown, min_lr=minimum, eps=0.0
        )
        found = []
        for figure in figures:
            scheduler.step(figure)
            found.append(optimizer.param_groups[0]["lr"])
        cases.append(dict(mode=mode, patience=patience, cooldown=cooldown, minimum=minimum, threshold=threshold,
                          figures=figures, rates=found))
    return cases


def lion(w, gradients, lr, beta1, beta2, decay):
    m, after = numpy.zeros_like(w), []
    for g in gradients:
        update = numpy.sign(beta1 * m + (1 - beta1) * g)
        w = w * (1 - lr * decay) - lr * update
        m = beta2 * m + (1 - beta2) * g
        after.append(w)
    return after


def lamb(w, gradients, lr, beta1, beta2, epsilon, decay):
    m, v, after = numpy.zeros_like(w), numpy.zeros_like(w), []
    for t, g in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        u = (m / (1 - beta1**t)) / (numpy.sqrt(v / (1 - beta2**t)) + epsilon) + decay * w
        norms = numpy.linalg.norm(w), numpy.linalg.norm(u)
        trust = norms[0] / norms[1] if norms[0] > 0 and norms[1] > 0 else 1.0
        w = w - lr * trust * u
        after.append(w)
    return after


def optimizers():
    random = numpy.random.RandomState(11)
    steps = [1, 2, 10]
    gradients = random.uniform(-1, 1, (10, 12)).astype(numpy.float32).astype(numpy.float64)
    initial = random.uniform(-1, 1, 12).astype(numpy.float32).astype(numpy.float64)
    lr, b1, b2, eps, decay, rho = (single(x) for x in (0.05, 0.9, 0.99, 1e-6, 0.02, 0.9))

    def run(make):
        w = torch.tensor(initial.copy(), requires_grad=True)
        optimizer = make([w])
        after = []
        for g in gradients:
            w.grad = torch.tensor(g)
            optimizer.step()
            after.append(w.detach().numpy().copy())
        return [after[t - 1].tolist() for t in steps]

    o = torch.optim
    return dict(
        gradients=gradients.tolist(), initial=initial.tolist(), steps=steps,
        nadam=run(lambda p: o.NAdam(p, lr, (b1, b2), eps, decay)),
        adamax=run(lambda p: o.Adamax(p, lr, (b1, b2), eps, decay)),
        adadelta=run(lambda p: o.Adadelta(p, lr, rho, eps, decay)),
        lion=[lion(initial, gradients, lr, b1, b2, decay)[t - 1].tolist() for t in steps],
        lamb=[lamb(initial, gradients, lr, b1, b2, eps, decay)[t - 1].tolist() for t in steps],
    )


def losses():
    random = numpy.random.RandomState(5)
    logits = random.uniform(-3, 3, (6, 4)).astype(numpy.float32).astype(numpy.float64)
    labels = [0, 3, 1, 1, 2, 3]
    weights = [single(x) for x in (0.5, 2.0, 1.25, 0.1)]
    shares = random.dirichlet(numpy.ones(4), 6).astype(numpy.float32).astype(numpy.float64)
    cases = []
    for smoothing in (0.0, single(0.1), single(0.6)):
        for weighted in (False, True):
            for target in ("labels", "shares"):
                x = torch.tensor(logits, requires_grad=True)
                loss = torch.nn.CrossEntropyLoss(torch.tensor(weights) if weighted else None, label_smoothing=smoothing)
                value = loss(x, torch.tensor(labels if target == "labels" else shares))
                value.backward()
                cases.append(dict(smoothing=smoothing, weighted=weighted, target=target, loss=value.item(),
                                  gradient=x.grad.tolist()))
    return dict(logits=logits.tolist(), labels=labels, weights=weights, shares=shares.tolist(), cases=cases)


def average():
    random = numpy.random.RandomState(3)
    decay = single(0.9)
    weights = random.uniform(-1, 1, (8, 5)).astype(numpy.float32).astype(numpy.float64)
    model = torch.nn.Linear(5, 1, bias=False)
    averaged = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay))
    after = []
    for row in weights:
        with torch.no_grad():
            model.weight.copy_(torch.tensor(row[None]))
        averaged.update_parameters(model)
        after.append(averaged.module.weight.detach()[0].tolist())
    return dict(decay=decay, weights=weights.tolist(), averages=after)


def main():
    found = dict(torch=torch.__version__, base=BASE, minimum=MINIMUM, schedules=schedules(), plateaus=plateaus(),
                 optimizers=optimizers(), losses=losses(), average=average())
    text = json.dumps(found, indent=None, separators=(",", ":")) + "\n"
    if "--check" in sys.argv:
        def same(a, b, place=""):
            if isinstance(a, dict):
                return a.keys() == b.keys() and all(same(a[k], b[k], f"{place}.{k}") for k in a if k != "torch")
            if isinstance(a, list):
                return len(a) == len(b) and all(same(x, y, place) for x, y in zip(a, b))
            good = abs(a - b) <= 1e-12 * max(1, abs(b)) if isinstance(a, float) else a == b
            if not good:
                print(f"{place}: {a}, committed {b}")
            return good
        sys.exit(not same(found, json.loads(PATH.read_text())))
    PATH.write_text(text)


main()
