"""Operations, forward and backward, one sample at a time.

Every case runs three times through the same lambda: in float32, in float64, and in float64 on absolute values. The third run is
only made for operations that are sums of products; it gives the scale that a rounding bound needs.
"""

import numpy as np
import torch
import torch.nn.functional as F

from .book import f32, stream

SUMS = ("linear", "conv", "avgpool", "add")


def draw(name, shape, scale=1.0):
    return (stream(name).standard_normal(shape) * scale).astype(np.float32)


def run(apply, inputs, dy, dtype):
    """`y` and the gradients of `sum(dy * y)` with respect to every input, in one number type."""
    leaves = {key: torch.tensor(value, dtype=dtype).requires_grad_() for key, value in inputs.items()}
    y = apply(**{key: leaf.unsqueeze(0) if key in ("x", "x2") else leaf for key, leaf in leaves.items()}).squeeze(0)
    y.backward(torch.tensor(dy, dtype=dtype).reshape(y.shape))
    return {"y": y.detach()} | {"d" + key: leaf.grad for key, leaf in leaves.items()}


def one(book, name, op, apply, x, parameters=None, x2=None, terms=None, **attributes):
    """One case: inputs, results in both number types, and the absolute sums where the operation is one."""
    inputs = {"x": x} | ({} if x2 is None else {"x2": x2}) | (parameters or {})
    shape = apply(**{key: torch.tensor(value).unsqueeze(0) if key in ("x", "x2") else torch.tensor(value)
                     for key, value in inputs.items()}).shape[1:]
    dy = draw(name + "/dy", tuple(shape))
    terms = {f"terms.{key}": value for key, value in (terms or {}).items()}
    book.case(name, op=op, input=x.shape, output=shape, **attributes, **terms)
    for key, value in (inputs | {"dy": dy}).items():
        book.put(f"{name}/{key}", value)
    single, double = (run(apply, inputs, dy, dtype) for dtype in (torch.float32, torch.float64))
    for key, value in single.items():
        book.result(f"{name}/{key}", value, double[key])
    if op.startswith(SUMS):
        absolute = run(apply, {key: abs(value) for key, value in inputs.items()}, abs(dy), torch.float64)
        for key, value in absolute.items():
            book.put(f"{name}/{key}.abs", value, np.float64)
    elif op.startswith("maxpool"):  # the same winners, so `x` keeps its signs; overlapping windows add up errors
        book.put(f"{name}/dx.abs", run(apply, inputs, abs(dy), torch.float64)["dx"], np.float64)


def linear(book, name, inputs, outputs, bias=True):
    parameters = {"weight": draw(name + "/weight", (outputs, inputs), inputs**-0.5)}
    if bias:
        parameters["bias"] = draw(name + "/bias", (outputs,))
    one(book, name, "linear", lambda x, weight, bias=None: F.linear(x, weight, bias), draw(name + "/x", (inputs,)),
        parameters, terms={"y": inputs + bias, "dx": outputs, "dweight": 1, "dbias": 1}, bias=bias)


def conv(book, name, shape, outputs, kernel, stride, padding, groups=1, bias=True):
    """`kernel`, `stride`, `padding` have one entry for each spatial dimension."""
    apply = {1: F.conv1d, 2: F.conv2d}[len(kernel)]
    window = int(np.prod(kernel)) * shape[0] // groups
    parameters = {"weight": draw(name + "/weight", (outputs, shape[0] // groups, *kernel), window**-0.5)}
    if bias:
        parameters["bias"] = draw(name + "/bias", (outputs,))
    places = int(np.prod([(s + 2 * p - k) // t + 1 for s, k, t, p in zip(shape[1:], kernel, stride, padding)]))
    one(book, name, f"conv{len(kernel)}d",
        lambda x, weight, bias=None: apply(x, weight, bias, stride, padding, 1, groups), draw(name + "/x", shape), parameters,
        terms={"y": window + bias, "dx": int(np.prod(kernel)) * outputs // groups, "dweight": places, "dbias": places},
        kernel=kernel, stride=stride, padding=padding, groups=groups, bias=bias)


def pool(book, kind, name, shape, kernel, stride, padding, count_include_pad=True, x=None):
    dimensions = len(kernel)
    x = draw(name + "/x", shape) if x is None else x
    attributes = dict(kernel=kernel, stride=stride, padding=padding)
    if kind == "maxpool":
        function = {1: F.max_pool1d, 2: F.max_pool2d}[dimensions]
        apply, terms = (lambda x: function(x, kernel, stride, padding)), {"dx": int(np.prod(kernel))}
    else:
        function = {1: F.avg_pool1d, 2: F.avg_pool2d}[dimensions]
        apply = lambda x: function(x, kernel, stride, padding, False, count_include_pad)
        attributes["count_include_pad"] = count_include_pad
        terms = {"y": int(np.prod(kernel)), "dx": int(np.prod(kernel))}
    one(book, name, f"{kind}{dimensions}d", apply, x, terms=terms, **attributes)


def activations(book):
    # The edges of every piecewise formula, then ordinary values, then values where exp() saturates.
    edges = np.array([0.0, -0.0, 6.0, -6.0, 5.9999995, 6.0000005, 1e-30, -1e-30], np.float32)
    for name, apply, attributes in [
        ("relu", lambda x: F.relu(x), {}),
        ("relu6", lambda x: F.relu6(x), {}),
        ("leaky_relu", lambda x: F.leaky_relu(x, f32(0.01)), dict(slope=f32(0.01))),
        ("leaky_relu_steep", lambda x: F.leaky_relu(x, f32(0.2)), dict(slope=f32(0.2))),
        ("sigmoid", lambda x: torch.sigmoid(x), {}),
        ("tanh", lambda x: torch.tanh(x), {}),
    ]:
        x = np.concatenate([edges, draw(name + "/x", (25,), 3.0), np.array([30.0, -30.0, 80.0, -80.0], np.float32)])
        one(book, name, name.removesuffix("_steep"), apply, x, **attributes)
    one(book, "relu_2d", "relu", lambda x: F.relu(x), draw("relu_2d/x", (3, 5, 7)))
    one(book, "flatten", "flatten", lambda x: x.flatten(1), draw("flatten/x", (2, 3, 5)))
    for name, shape in [("add", (3, 7)), ("add_3d", (2, 4, 3))]:
        one(book, name, "add", lambda x, x2: x + x2, draw(name + "/x", shape), x2=draw(name + "/x2", shape), terms={"y": 2, "dx": 1, "dx2": 1})


def norms(book):
    for name, shape in [("layernorm_flat", (16,)), ("layernorm_1d", (3, 10)), ("layernorm_2d", (2, 4, 5)), ("layernorm_offset", (33,))]:
        offset = np.float32(100.0 if name.endswith("offset") else 0.5)  # far from zero: a one-pass variance loses it
        parameters = {"weight": draw(name + "/weight", shape) + np.float32(1), "bias": draw(name + "/bias", shape)}
        one(book, name, "layernorm", lambda x, weight, bias: F.layer_norm(x, x.shape[1:], weight, bias, f32(1e-5)),
            draw(name + "/x", shape) + offset, parameters, epsilon=f32(1e-5))
    for name, shape in [("batchnorm_1d", (3, 11)), ("batchnorm_2d", (4, 3, 5)), ("batchnorm_large", (2, 8, 8))]:
        batchnorm(book, name, shape, training=True)
    for name, shape in [("batchnorm_eval_flat", (6,)), ("batchnorm_eval_1d", (3, 7)), ("batchnorm_eval_2d", (2, 3, 4))]:
        batchnorm(book, name, shape, training=False)


def batchnorm(book, name, shape, training):
    """At batch 1 the statistics run over a channel's positions. Running statistics: momentum 0.1, unbiased variance."""
    channels = shape[0]
    parameters = {"weight": draw(name + "/weight", channels) + np.float32(1), "bias": draw(name + "/bias", channels)}
    before = {"running_mean": draw(name + "/running_mean", channels),
              "running_var": np.exp(draw(name + "/running_var", channels)).astype(np.float32)}
    after = {}

    def apply(x, weight, bias):
        mean, var = (torch.tensor(value, dtype=x.dtype) for value in before.values())
        y = F.batch_norm(x, mean, var, weight, bias, training, f32(0.1), f32(1e-5))
        after[x.dtype] = mean, var
        return y

    one(book, name, "batchnorm", apply, draw(name + "/x", shape) * np.float32(2) + np.float32(1), parameters,
        training=training, momentum=f32(0.1), epsilon=f32(1e-5))
    for index, (key, value) in enumerate(before.items()):
        book.put(f"{name}/{key}", value)
        if training:
            book.result(f"{name}/{key}_after", after[torch.float32][index], after[torch.float64][index])


def dropout(book):
    """Which elements fall is ours to choose (a counter); what is left is scaled by 1 / (1 - p), forward and backward."""
    for name, p in [("dropout_half", 0.5), ("dropout_fifth", f32(0.2))]:
        mask = (stream(name + "/mask").uniform(size=24) >= p).astype(np.float32)
        one(book, name, "dropout", lambda x: x * torch.tensor(mask, dtype=x.dtype) / (1 - p), draw(name + "/x", (24,)), p=p)
        book.put(f"{name}/mask", mask)


def build(book):
    linear(book, "linear", 7, 5)
    linear(book, "linear_no_bias", 9, 4, bias=False)
    linear(book, "linear_64_32", 64, 32)
    linear(book, "linear_one", 1, 1)
    conv(book, "conv1d", (3, 12), 4, (3,), (1,), (0,))
    conv(book, "conv1d_same", (2, 9), 3, (5,), (1,), (2,))
    conv(book, "conv1d_stride", (3, 14), 4, (4,), (3,), (1,))
    conv(book, "conv1d_depthwise", (5, 11), 5, (3,), (1,), (1,), groups=5)
    conv(book, "conv1d_groups", (4, 10), 6, (3,), (2,), (1,), groups=2)
    conv(book, "conv1d_no_bias", (6, 7), 3, (1,), (1,), (0,), bias=False)
    conv(book, "conv2d", (2, 7, 5), 3, (3, 3), (1, 1), (0, 0))
    conv(book, "conv2d_same", (3, 6, 7), 4, (3, 3), (1, 1), (1, 1))
    conv(book, "conv2d_stride", (3, 9, 8), 4, (3, 3), (2, 2), (1, 1))
    conv(book, "conv2d_oblong", (2, 9, 7), 3, (3, 2), (2, 1), (1, 0))
    conv(book, "conv2d_depthwise", (4, 7, 6), 4, (3, 3), (1, 1), (1, 1), groups=4)
    conv(book, "conv2d_depthwise_stride", (3, 9, 9), 3, (3, 3), (2, 2), (1, 1), groups=3)
    conv(book, "conv2d_depth_multiplier", (3, 6, 5), 6, (3, 3), (1, 1), (1, 1), groups=3)
    conv(book, "conv2d_groups", (4, 5, 6), 6, (3, 3), (1, 1), (0, 0), groups=2)
    conv(book, "conv2d_pointwise", (8, 3, 5), 5, (1, 1), (1, 1), (0, 0))
    conv(book, "conv2d_no_bias", (1, 6, 6), 2, (5, 5), (1, 1), (2, 2), bias=False)
    conv(book, "conv2d_window_is_input", (2, 4, 3), 5, (4, 3), (1, 1), (0, 0))
    for kind in ("maxpool", "avgpool"):
        pool(book, kind, f"{kind}1d", (3, 12), (2,), (2,), (0,))
        pool(book, kind, f"{kind}1d_overlap", (2, 11), (3,), (1,), (0,))
        pool(book, kind, f"{kind}1d_ragged", (2, 12), (3,), (5,), (0,))
        pool(book, kind, f"{kind}1d_padded", (2, 9), (3,), (2,), (1,))
        pool(book, kind, f"{kind}2d", (3, 6, 8), (2, 2), (2, 2), (0, 0))
        pool(book, kind, f"{kind}2d_overlap", (2, 7, 9), (3, 3), (2, 2), (0, 0))
        pool(book, kind, f"{kind}2d_oblong", (2, 7, 6), (3, 2), (2, 1), (0, 0))
        pool(book, kind, f"{kind}2d_padded", (2, 7, 6), (3, 3), (2, 2), (1, 1))
    pool(book, "avgpool", "avgpool1d_padding_not_counted", (2, 9), (3,), (2,), (1,), count_include_pad=False)
    pool(book, "avgpool", "avgpool2d_padding_not_counted", (2, 7, 6), (3, 3), (2, 2), (1, 1), count_include_pad=False)
    # After a ReLU most windows hold equal values: which of them gets the gradient is part of the contract (the first).
    ties = stream("maxpool ties").randint(0, 2, (2, 6, 6)).astype(np.float32)
    pool(book, "maxpool", "maxpool2d_ties", ties.shape, (2, 2), (2, 2), (0, 0), x=ties)
    pool(book, "maxpool", "maxpool1d_ties", (2, 18), (3,), (2,), (0,), x=ties.reshape(4, 18)[:2])
    for name, shape in [("global_avgpool_1d", (5, 13)), ("global_avgpool_2d", (4, 5, 7))]:
        count = int(np.prod(shape[1:]))
        one(book, name, "avgpool_global", lambda x: x.flatten(2).mean(2), draw(name + "/x", shape), terms={"y": count, "dx": 1})
    activations(book)
    norms(book)
    dropout(book)
