"""Operations that the host alone computes, forward and backward, a batch at a time, through PyTorch's own modules.

A case names its module's tensors as `state_dict` does: `case/parameter/NAME`; results are `y`, `dx`, `dx2` and `d/NAME`. Sequences
are `[batch, length, features]`. `text` is the line of the graph's text that the case is about, without number, update and
source.
"""

import struct

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from .book import stream


def draw(name, shape, scale=1.0):
    return (stream("host/" + name).standard_normal(shape) * scale).astype(np.float32)


def bits(value):
    return "0x" + struct.pack(">f", value).hex()


class Attention(nn.MultiheadAttention):
    def __init__(self, features, heads, causal, bias=True):
        super().__init__(features, heads, bias=bias, batch_first=True)
        self.causal = causal

    def forward(self, x):
        length = x.shape[1]
        mask = torch.triu(torch.ones(length, length, dtype=torch.bool), 1) if self.causal else None
        return super().forward(x, x, x, attn_mask=mask, need_weights=False)[0]


class Recurrent(nn.Module):
    """`nn.LSTM` or `nn.GRU` whose names are the module's own."""

    def __init__(self, kind, features, hidden, bidirectional, last, bias=True):
        super().__init__()
        self.inner = kind(features, hidden, batch_first=True, bidirectional=bidirectional, bias=bias)
        self.last = last

    def forward(self, x):
        y, state = self.inner(x)
        h = state[0] if isinstance(state, tuple) else state
        return torch.cat(list(h), -1) if self.last else y


class Waves(nn.Module):
    """Sine and cosine of the position, as the tutorial on transformers makes them."""

    def forward(self, x):
        length, features = x.shape[1:]
        position = torch.arange(length, dtype=torch.float64)[:, None]
        rate = torch.exp(torch.arange(0, features, 2, dtype=torch.float64) * (-np.log(10000.0) / features))
        table = torch.zeros(length, features, dtype=torch.float64)
        table[:, 0::2] = torch.sin(position * rate)
        table[:, 1::2] = torch.cos(position * rate[: features // 2])
        return x + table.to(x.dtype)


class Positions(nn.Embedding):
    def forward(self, x):
        return x + super().forward(torch.arange(x.shape[1]))


class Apply(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *x):
        return self.function(*x)


class Rows(nn.Embedding):
    def forward(self, x):
        return super().forward(x.long())


def own(name):
    """The module's name of a tensor, without our wrapper's."""
    return name.removeprefix("inner.")


def run(module, inputs, dy, dtype):
    module = module.to(dtype).zero_grad() or module
    inputs = {key: torch.tensor(value, dtype=dtype).requires_grad_() for key, value in inputs.items()}
    y = module(*inputs.values())
    y.backward(torch.tensor(dy, dtype=dtype))
    results = {"y": y.detach().clone()}
    results |= {"d" + key: value.grad.clone() for key, value in inputs.items() if value.grad is not None}
    return results | {"d/" + own(name): p.grad.clone() for name, p in module.named_parameters()}


def one(book, name, text, module, shape, shape2=None, x=None):
    """One case: three samples, parameters drawn about 0 at a fitting scale."""
    batch = 3
    state = {}
    for key, p in module.named_parameters():
        offset = 1.0 if "norm" in name and key == "weight" else 0.0
        state[key] = draw(f"{name}/{key}", tuple(p.shape), 0.5 / max(p.shape[-1], 1) ** 0.5) + np.float32(offset)
    module.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    inputs = {"x": draw(name + "/x", (batch, *shape)) if x is None else x}
    if shape2 is not None:
        inputs["x2"] = draw(name + "/x2", (batch, *shape2))
    output = module(*(torch.tensor(value) for value in inputs.values())).shape
    dy = draw(name + "/dy", tuple(output))
    book.case(name, input=inputs["x"].shape[1:], output=output[1:])
    book.lines[name] += " text=" + text.replace(" ", ";")
    for key, value in inputs.items():
        book.put(f"{name}/{key}", value)
    book.put(f"{name}/dy", dy)
    for key, value in state.items():
        book.put(f"{name}/parameter/{own(key)}", value)
    single, double = (run(module, inputs, dy, dtype) for dtype in (torch.float32, torch.float64))
    for key, value in single.items():
        if key == "dx" and text.startswith("embedding"):
            continue
        book.result(f"{name}/{key}", value, double[key])


def recurrent(book, name, kind, shape, hidden, bidirectional=False, last=False, bias=True):
    module = Recurrent({"lstm": nn.LSTM, "gru": nn.GRU}[kind], shape[1], hidden, bidirectional, last, bias)
    text = f"{kind} hidden={hidden} bidirectional={int(bidirectional)} last={int(last)} bias={int(bias)}"
    one(book, name, text, module, shape)


def attention(book, name, shape, heads, causal, bias=True):
    text = f"attention heads={heads} causal={int(causal)} bias={int(bias)}"
    one(book, name, text, Attention(shape[1], heads, causal, bias), shape)


def transposed(book, name, shape, outputs, kernel, stride, padding, end, bias=True):
    rank = len(kernel)
    module = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}[rank](shape[0], outputs, kernel, stride, padding, end, bias=bias)
    size = lambda pair: "x".join(str(n) for n in pair)
    text = f"conv_transpose{rank}d channels={outputs} kernel={size(kernel)} stride={size(stride)} padding={size(padding)}"
    one(book, name, f"{text} output_padding={end} bias={int(bias)}", module, shape)


def build(book):
    attention(book, "attention", (5, 8), 2, False)
    attention(book, "attention_causal", (7, 6), 3, True)
    attention(book, "attention_one_head_no_bias", (4, 5), 1, False, bias=False)
    attention(book, "attention_one_position", (1, 4), 2, True)
    for axis, shape2 in [(0, (2, 5)), (1, (3, 4))]:
        one(book, f"concat_{axis}", f"concat axis={axis}", Apply(lambda a, b, axis=axis: torch.cat([a, b], axis + 1)), (3, 5), shape2)
    one(book, "concat_flat", "concat axis=0", Apply(lambda a, b: torch.cat([a, b], 1)), (3,), (4,))
    one(book, "concat_image", "concat axis=0", Apply(lambda a, b: torch.cat([a, b], 1)), (2, 3, 4), (5, 3, 4))
    transposed(book, "conv_transpose1d", (3, 5), 4, (3,), (1,), (0,), 0)
    transposed(book, "conv_transpose1d_stride", (3, 5), 2, (4,), (3,), (1,), 2)
    transposed(book, "conv_transpose2d", (2, 4, 3), 3, (3, 3), (2, 2), (1, 1), 1)
    transposed(book, "conv_transpose2d_oblong_no_bias", (3, 3, 4), 2, (2, 3), (2, 1), (0, 1), 0, bias=False)
    tokens = stream("host/embedding/tokens").randint(0, 11, (3, 6)).astype(np.float32)
    one(book, "embedding", "embedding vocabulary=11 features=5", Rows(11, 5), (6,), x=tokens)
    for groups, shape in [(2, (6, 4, 3)), (3, (3, 7)), (1, (4, 5))]:
        text = f"group_norm groups={groups} epsilon={bits(1e-5)}"
        one(book, f"group_norm_{groups}", text, nn.GroupNorm(groups, shape[0]), shape)
    one(book, "positional_encoding", "positional_encoding", Waves(), (9, 6))
    one(book, "positional_encoding_odd", "positional_encoding", Waves(), (4, 5))
    one(book, "positional_embedding", "positional_embedding", Positions(5, 4), (5, 4))
    for kind in ("lstm", "gru"):
        recurrent(book, kind, kind, (6, 4), 5)
        recurrent(book, kind + "_last", kind, (5, 3), 4, last=True)
        recurrent(book, kind + "_both", kind, (7, 3), 2, bidirectional=True)
        recurrent(book, kind + "_both_last", kind, (4, 5), 3, bidirectional=True, last=True)
        recurrent(book, kind + "_no_bias", kind, (3, 2), 3, bias=False)
        recurrent(book, kind + "_one_position", kind, (1, 4), 3, bidirectional=True)
    one(book, "sequence_layer_norm", f"sequence_layer_norm epsilon={bits(1e-5)}", nn.LayerNorm(7), (4, 7))
    one(book, "sequence_linear", "sequence_linear outputs=5 bias=1", nn.Linear(7, 5), (4, 7))
    one(book, "sequence_linear_no_bias", "sequence_linear outputs=3 bias=0", nn.Linear(2, 3, bias=False), (5, 2))
    one(book, "transpose", "transpose", Apply(lambda x: x.transpose(1, 2)), (4, 7))
    one(book, "transpose_image", "transpose", Apply(lambda x: x.flatten(2).transpose(1, 2)), (3, 4, 2))
    one(book, "last_position", "last_position", Apply(lambda x: x[:, -1]), (4, 7))
    edges = np.array([0.0, -0.0, 3.0, -3.0, 2.9999998, -2.9999998, 3.0000002, -3.0000002, 30.0, -30.0], np.float32)
    for name, function in [("gelu", F.gelu), ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh")), ("silu", F.silu),
                           ("hard_swish", F.hardswish)]:
        x = np.concatenate([edges, draw(name + "/x", (20,), 2.0)]).reshape(3, 10)
        one(book, name, name, Apply(function), (10,), x=x)
    one(book, "softmax", "softmax", Apply(lambda x: x.softmax(-1)), (9,))
    one(book, "softmax_sequence", "softmax", Apply(lambda x: x.softmax(-1)), (3, 5))
    for name, shape, factor, mode in [("nearest1d", (3, 5), 3, "nearest"), ("nearest2d", (2, 3, 4), 2, "nearest"),
                                      ("bilinear2d", (2, 3, 5), 2, "bilinear"), ("bilinear2d", (1, 1, 4), 3, "bilinear")]:
        text = f"upsample_{name} factor={factor}"
        one(book, f"upsample_{name}_{factor}", text, nn.Upsample(scale_factor=factor, mode=mode), shape)
