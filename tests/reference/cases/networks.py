"""Whole networks trained for some steps: initial weights, samples, and what the weights and losses become.

The rounding of one step is bounded by theory; that of fifty is not, because training may amplify it. `spread` measures the
amplification. A computed sum of n products is the exact sum for factors that are disturbed by at most n units in the last place,
for random rounding by about sqrt(n) of them (Higham and Mary 2019, A New Approach to Probabilistic Rounding Error Analysis). So
eight float64 runs disturb, at each step, the weights that the gradient is taken at, the gradient itself and the new weights by
random amounts of that size; `spread` is the largest final difference for each tensor.
"""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .book import f32, stream

UNIT = 2.0**-24  # half a unit in the last place, relative
RUNS = 8


class Residual(nn.Module):
    """conv, relu, then relu(layer norm(x + conv(x))), the mean over time, linear. `[6, 25] -> [5]`"""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(6, 8, 3, padding=1)
        self.body = nn.Conv1d(8, 8, 3, padding=1)
        self.norm = nn.LayerNorm([8, 25], eps=f32(1e-5))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = F.relu(self.norm(x + self.body(x)))
        return self.head(x.mean(2))


def mlp():
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def cnn():
    """The network of the benchmarks; with padding 1 a training step takes 265,728 multiply-accumulates."""
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10))


def training_macs(model, shape):
    """Forward, weight gradient and, but for the first layer, input gradient."""
    macs = []
    hooks = [layer.register_forward_hook(lambda layer, _, y: macs.append(layer.weight[0].numel() * y.numel()))
             for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d))]
    with torch.no_grad():
        model(torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    return 2 * macs[0] + 3 * sum(macs[1:])


def initialise(name, model):
    """Uniform within 1 / sqrt(fan in), from our own stream; the layer norm near one and zero."""
    with torch.no_grad():
        for key, layer in model.named_modules():
            for part, value in layer.named_parameters(recurse=False):
                limit = layer.weight[0].numel() ** -0.5 if not isinstance(layer, nn.LayerNorm) else 0.1
                drawn = stream(f"{name}/{key}.{part}").uniform(-limit, limit, tuple(value.shape)).astype(np.float32)
                value.copy_(torch.tensor(drawn + np.float32(isinstance(layer, nn.LayerNorm) and part == "weight")))


def samples(name, count, shape, classes):
    """Inputs and the labels that a random linear map gives them: there is something to learn."""
    x = stream(name + "/x").standard_normal((count, *shape)).astype(np.float32)
    teacher = stream(name + "/teacher").standard_normal((int(np.prod(shape)), classes))
    return x, (x.reshape(count, -1).astype(np.float64) @ teacher).argmax(1).astype(np.int32)


def train(model, make, x, label, steps, batch, clip, dtype, noise=None):
    """Final weights, losses and norms. Step s takes the samples s * batch ... modulo their number."""
    model = copy.deepcopy(model).to(dtype)
    x, label = torch.tensor(x, dtype=dtype), torch.tensor(label, dtype=torch.int64)
    optimizer, losses, norms = make(model.parameters()), [], []
    for step in range(steps):
        start = step * batch % len(x)
        kept = disturb(model, noise) if noise else None
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[start:start + batch]), label[start:start + batch])
        loss.backward()
        if noise:
            with torch.no_grad():
                for w, old in zip(model.parameters(), kept):
                    w.copy_(old)
                    w.grad *= 1 + uniform(noise, w) * reach(w)
        if clip:
            norms.append(nn.utils.clip_grad_norm_(model.parameters(), clip).item())
        optimizer.step()
        if noise:
            with torch.no_grad():
                for w in model.parameters():
                    w *= 1 + uniform(noise, w) * UNIT
        losses.append(loss.item())
    return model.state_dict(), losses, norms


def uniform(noise, like):
    return torch.tensor(noise.uniform(-1, 1, tuple(like.shape)), dtype=like.dtype)


def reach(w):
    """Relative size of the disturbance: the longer of the sums that a weight takes part in."""
    return 2 * UNIT * max(w.shape[0], w[0].numel()) ** 0.5


def disturb(model, noise):
    kept = [w.detach().clone() for w in model.parameters()]
    with torch.no_grad():
        for w in model.parameters():
            w *= 1 + uniform(noise, w) * reach(w)
    return kept


def one(book, name, model, make, shape, classes, steps, count=None, batch=1, clip=None, **attributes):
    initialise(name, model)
    x, label = samples(name, count or steps * batch, shape, classes)
    start = copy.deepcopy(model.state_dict())
    single, loss, _ = train(model, make, x, label, steps, batch, clip, torch.float32)
    double, loss64, norms = train(model, make, x, label, steps, batch, clip, torch.float64)
    noisy = [train(model, make, x, label, steps, batch, clip, torch.float64, stream(f"{name}/noise {run}")) for run in range(RUNS)]
    book.case(name, input=shape, classes=classes, steps=steps, batch=batch, macs=training_macs(model, shape),
              **attributes, **({"clip": clip} if clip else {}))
    book.put(f"{name}/x", x)
    book.put(f"{name}/label", label, np.int32)
    book.result(f"{name}/loss", np.array(loss), np.array(loss64))
    book.put(f"{name}/spread/loss", np.max([abs(np.array(run[1]) - loss64) for run in noisy], axis=(0, 1)), np.float64)
    for key, value in start.items():
        spread = max((run[0][key] - double[key]).abs().max().item() for run in noisy)
        moved = (double[key] - value).abs().max().item()
        # A network near a kink would make the comparison blunt: choose another then.
        assert spread < 1e-3 * moved, f"{name} {key}: rounding spreads to {spread:.2g}, training moved {moved:.2g}"
        book.put(f"{name}/initial/{key}", value)
        book.result(f"{name}/final/{key}", single[key], double[key])
        book.put(f"{name}/spread/{key}", np.array([spread]), np.float64)
    if clip:
        assert min(norms) < clip < max(norms), f"{name}: clipping must happen and not happen, norms {min(norms)}..{max(norms)}"
        book.put(f"{name}/norm.f64", np.array(norms), np.float64)


def build(book):
    sgd = lambda rate, **more: lambda parameters: torch.optim.SGD(parameters, lr=rate, foreach=False, **more)
    adam = lambda rate: lambda parameters: torch.optim.Adam(parameters, lr=rate, betas=(f32(0.9), f32(0.999)), eps=f32(1e-8), foreach=False)
    slow, fast = f32(0.01), f32(0.05)
    one(book, "mlp_sgd", mlp(), sgd(slow), (64,), 10, 50, rule="sgd", lr=slow)
    one(book, "mlp_adam", mlp(), adam(f32(0.001)), (64,), 10, 50,
        rule="adam", lr=f32(0.001), beta1=f32(0.9), beta2=f32(0.999), eps=f32(1e-8))
    one(book, "mlp_momentum_clip", mlp(), sgd(fast, momentum=f32(0.9)), (64,), 10, 50, count=40, batch=4, clip=1.0,
        rule="sgd", lr=fast, momentum=f32(0.9))
    assert training_macs(cnn(), (1, 16, 16)) == 265_728
    one(book, "cnn_sgd", cnn(), sgd(slow), (1, 16, 16), 10, 20, rule="sgd", lr=slow)
    one(book, "residual_sgd", Residual(), sgd(slow), (6, 25), 5, 20, rule="sgd", lr=slow)
