"""PyTorch's half of the benchmarks: a network from the same `model.toml` that Emberlite trains.

Layers are run in the order of the file, as Emberlite does; attention is PyTorch's fused `scaled_dot_product_attention`.
A layer's parameters go to Emberlite under its number, packed as it packs them.
"""

import tomllib

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, features, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.inside, self.out = nn.Linear(features, 3 * features), nn.Linear(features, features)

    def forward(self, x):
        batch, length, features = x.shape
        qkv = self.inside(x).view(batch, length, 3, self.heads, features // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(y.transpose(1, 2).reshape(batch, length, features))


class Position(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(shape))

    def forward(self, x):
        return x + self.weight


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def module(op, x):
    """The module of a layer whose input has shape `x` (with a batch of 1)."""
    name, bias = op["op"], op.get("bias", True)
    if name == "conv2d":
        return nn.Conv2d(x[1], op["channels"], op["kernel"], op.get("stride", 1), op.get("padding", 0), bias=bias)
    if name in ("linear", "sequence_linear"):
        return nn.Linear(x[-1], op["outputs"], bias=bias)
    if name == "attention":
        return Attention(x[-1], op["heads"], op.get("causal", False))
    if name == "positional_encoding" and op.get("learned"):
        return Position(x[1:])
    return {
        "relu": nn.ReLU,
        "flatten": nn.Flatten,
        "global_average_pool": Mean,
        "max_pool2d": lambda: nn.MaxPool2d(op["window"], op.get("stride")),
        "batch_norm": lambda: nn.BatchNorm2d(x[1]),
        "sequence_layer_norm": lambda: nn.LayerNorm(x[-1]),
        "embedding": lambda: nn.Embedding(op["vocabulary"], op["features"]),
        "gelu": lambda: nn.GELU(op.get("approximate", "none")),
    }[name]()


class Network(nn.Module):
    def __init__(self, path):
        super().__init__()
        with open(path, "rb") as file:
            self.description = tomllib.load(file)
        layers = self.description["model"]["layers"]
        names = {layer["name"]: i for i, layer in enumerate(layers) if "name" in layer}
        self.sources = [[i - 1, names[op["from"]] if "from" in op else None] for i, op in enumerate(layers)]
        self.adds = [op["op"] == "add" for op in layers]
        shape = self.description["model"]["input"]
        self.tokens = layers[0]["op"] == "embedding"
        x, found, values = torch.zeros([1, *shape], dtype=torch.long if self.tokens else torch.float32), [], []
        for i, op in enumerate(layers):
            before = x if i == 0 else values[-1]
            if self.adds[i]:
                found.append(nn.Identity())
                values.append(before + values[self.sources[i][1]])
                continue
            if self.sources[i][1] is not None:
                before = values[self.sources[i][1]]
            found.append(module(op, list(before.shape)))
            values.append(found[-1].eval()(before))
        self.layers = nn.ModuleList(found).train()
        self.outputs = values[-1].shape[1:]

    def forward(self, x):
        values = []
        for i, layer in enumerate(self.layers):
            before, other = self.sources[i]
            before = x if before < 0 else values[before]
            if self.adds[i]:
                values.append(before + values[other])
            else:
                values.append(layer(before if other is None else values[other]))
        return values[-1]

    def packed(self):
        """Every parameter under the names that Emberlite's half reads."""
        tensors = {}
        for i, layer in enumerate(self.layers):
            if isinstance(layer, Attention):
                for kind in ("weight", "bias"):
                    parts = [getattr(part, kind).detach().flatten() for part in (layer.inside, layer.out)]
                    tensors[f"{i}.{kind}"] = torch.cat(parts)
                continue
            for kind, tensor in layer.state_dict().items():
                if kind != "num_batches_tracked":
                    tensors[f"{i}.{kind}"] = tensor.detach().clone().contiguous()
        return tensors

    def loss(self, x, labels):
        y = self(x)
        return F.cross_entropy(y.reshape(-1, y.shape[-1]), labels.flatten())

    def optimizer(self):
        settings = dict(self.description["training"]["optimizer"])
        rate, decay = settings["learning_rate"], settings.get("weight_decay", 0.0)
        if settings["name"] == "sgd":
            momentum, nesterov = settings.get("momentum", 0.0), settings.get("nesterov", False)
            return torch.optim.SGD(self.parameters(), rate, momentum, weight_decay=decay, nesterov=nesterov)
        betas = (settings.get("beta1", 0.9), settings.get("beta2", 0.999))
        return torch.optim.AdamW(self.parameters(), rate, betas, weight_decay=decay)

    def batch(self, size, seed=3):
        """Made-up samples and labels."""
        generator = torch.Generator().manual_seed(seed)
        shape = [size, *self.description["model"]["input"]]
        if self.tokens:
            top = self.outputs[-1]
            return torch.randint(0, top, shape, generator=generator), torch.randint(0, top, shape, generator=generator)
        return torch.rand(shape, generator=generator) * 2 - 1, torch.randint(0, self.outputs[-1], [size], generator=generator)
