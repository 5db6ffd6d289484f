"""Learning rates of steps 0 ... 199 from torch's schedulers, in float64."""

import numpy as np
import torch
from torch.optim import lr_scheduler

from .book import f32

STEPS = 200


def one(book, name, kind, make, base, **attributes):
    optimizer = torch.optim.SGD([torch.zeros(1, dtype=torch.float64)], lr=base)
    schedule, rates = make(optimizer), []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    book.case(name, schedule=kind, rate=base, **attributes)
    book.put(f"{name}/rate", np.array(rates), np.float64)


def build(book):
    one(book, "constant", "constant", lambda o: lr_scheduler.LambdaLR(o, lambda _: 1.0), f32(0.01))
    for period, factor in [(30, 0.5), (7, f32(0.9))]:
        one(book, f"step_{period}", "step", lambda o: lr_scheduler.StepLR(o, period, factor), f32(0.1), period=period, factor=factor)
    for factor in (f32(0.99), f32(0.9)):
        one(book, f"exponential_{round(factor * 100)}", "exponential", lambda o: lr_scheduler.ExponentialLR(o, factor), f32(0.1), factor=factor)
    for minimum in (0.0, f32(0.001)):
        # T_max 200: the curve reaches its minimum at step 200, one past the end; what comes after differs between libraries.
        one(book, f"cosine_{round(minimum * 1000)}", "cosine", lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, minimum), f32(0.1), steps=STEPS, minimum=minimum)
    # LinearLR: rate * (start + (1 - start) * min(step, steps) / steps).
    for steps, start in [(50, f32(0.1)), (10, 1 / 1024)]:
        one(book, f"warmup_{steps}", "linear_warmup", lambda o: lr_scheduler.LinearLR(o, start, 1.0, steps), f32(0.05), steps=steps, start=start)
