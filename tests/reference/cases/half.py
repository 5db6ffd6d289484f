"""Products in bf16 with f32 weights: what PyTorch's `autocast` computes on the CPU, forward and backward.

Results `y`, `dx`, `d/NAME` are autocast's, as f32. `.f64` is the truth. A case of one operation has it for operands that are
rounded to bf16 already, and beside it `.bound`: how far two implementations may be apart that multiply these exactly, add up in
f32 and round the sum to bf16, once, or twice where a bias is added to what was rounded. A network's truth is that of its f32
weights, and it has no bound: errors are compared with PyTorch's.

Parameters are called `NODE.NAME`, with the number of the node in the graph of `host/src/lower/half.rs`.
"""

import copy

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from .book import stream
from .host_operations import Attention, Recurrent

# The largest relative error of a rounding to bf16 (8 bits of significand) and to f32 (24).
HALF, SINGLE = 2.0**-8, 2.0**-24


def draw(name, shape, scale=1.0):
    return (stream("half/" + name).standard_normal(shape) * scale).astype(np.float32)


def rounded(value):
    return value.to(torch.bfloat16).to(torch.float64)


class Layers(nn.Module):
    """One after the other."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.ModuleDict({str(node): layer for node, layer in layers})

    def forward(self, x):
        for layer in self.layers.values():
            x = layer(x)
        return x


class Block(Layers):
    """Of a transformer, the norm first."""

    def forward(self, x):
        layers = self.layers
        x = x + layers["1"](layers["0"](x))
        return x + layers["6"](F.gelu(layers["4"](layers["3"](x))))


def own(name):
    return name.removeprefix("layers.").replace("inner.", "")


def run(module, x, dy, half):
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        y = module(x)
    # The loss is f32, and the gradient that it sends back too.
    y.to(dy.dtype).backward(dy)
    found = {"y": y.detach().clone(), "dx": x.grad}
    return found | {"d/" + own(name): p.grad for name, p in module.named_parameters()}


def case(book, name, module, shape, terms=None):
    """`terms`: of the longest sum, where it is one operation; the bound of a network isn't worked out."""
    batch = 4
    module = Layers((0, module)) if terms else module
    for key, p in module.named_parameters():
        norm = p.dim() == 1 and key.endswith("weight")
        p.data = torch.tensor(draw(f"{name}/{key}", tuple(p.shape), 0.7 / max(p[0].numel(), 1) ** 0.5) + np.float32(norm))
    x = torch.tensor(draw(name + "/x", (batch, *shape)))
    dy = torch.tensor(draw(name + "/dy", tuple(module(x).shape)))
    book.case(name, input=x.shape[1:], output=dy.shape[1:])
    book.put(name + "/x", x)
    book.put(name + "/dy", dy)
    for key, p in module.named_parameters():
        book.put(f"{name}/parameter/{own(key)}", p)
    half = run(copy.deepcopy(module), x, dy, True)
    exact = copy.deepcopy(module).double()
    wide = (x.double(), dy.double())
    if terms:
        wide = (rounded(x), rounded(dy))
        for p in exact.parameters():
            p.data = rounded(p.data)
    truth = run(exact, *wide, False)
    for key, value in half.items():
        book.result(f"{name}/{key}", value.float(), truth[key])
    if not terms:
        return
    for p in exact.parameters():
        p.data, p.grad = p.data.abs(), None
    sums = run(exact, *(value.abs() for value in wide), False)
    for key, value in truth.items():
        single = 2 * (terms + 1) * SINGLE * sums[key]
        # Both round their sum; one may have rounded it before it added the bias.
        before = sums[key] if key == "y" and "d/0.bias" in truth else 0.0
        bound = HALF * (2 * value.abs() + before) * (1 + HALF) + single
        book.put(f"{name}/{key}.bound", bound, np.float64)
        off = (half[key].double() - value).abs()
        assert (off <= bound).all(), f"{name}/{key}: PyTorch itself is outside"


def build(book):
    case(book, "linear", nn.Linear(24, 7), (24,), 25)
    case(book, "linear_no_bias", nn.Linear(9, 5, bias=False), (9,), 10)
    case(book, "conv1d", nn.Conv1d(3, 4, 3, stride=2, padding=1), (3, 9), 4 * 5)
    case(book, "conv2d", nn.Conv2d(3, 4, 3, padding=1), (3, 6, 5), 4 * 30)
    case(book, "conv2d_groups", nn.Conv2d(4, 6, (3, 2), stride=(2, 1), groups=2, bias=False), (4, 7, 6), 4 * 15)
    case(book, "conv_transpose2d", nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1), (3, 4, 3), 4 * 12)
    case(book, "sequence_linear", nn.Linear(6, 5), (7, 6), 4 * 7)
    case(book, "attention", Layers((0, Attention(8, 2, False))), (6, 8))
    case(book, "attention_causal", Layers((0, Attention(6, 3, True))), (7, 6))
    case(book, "lstm", Layers((0, Recurrent(nn.LSTM, 4, 5, True, False))), (6, 4))
    case(book, "gru", Layers((0, Recurrent(nn.GRU, 4, 5, False, True))), (6, 4))
    case(book, "perceptron", Layers((0, nn.Linear(16, 12)), (1, nn.ReLU()), (2, nn.Linear(12, 8)), (3, nn.Tanh()), (4, nn.Linear(8, 5))), (16,))
    case(book, "convolutional", Layers((0, nn.Conv2d(2, 6, 3, padding=1, bias=False)), (1, nn.BatchNorm2d(6)), (2, nn.ReLU()),
                                       (3, nn.MaxPool2d(2)), (4, nn.Conv2d(6, 8, 3)), (5, nn.SiLU()), (6, nn.AvgPool2d(2)),
                                       (7, nn.Flatten()), (8, nn.LayerNorm(8)), (9, nn.Linear(8, 5))), (2, 8, 8))
    case(book, "block", Block((0, nn.LayerNorm(8)), (1, Attention(8, 2, True)), (3, nn.LayerNorm(8)), (4, nn.Linear(8, 16)),
                              (6, nn.Linear(16, 8))), (6, 8))
