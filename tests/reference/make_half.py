#!/usr/bin/env python3
"""How far apart losses and accuracies come out that PyTorch trains in bf16 (autocast) and in f32, from the same weights and
batches: the two networks of `host/tests/train_half.rs` on the digits, with many seeds.

    python tests/reference/make_half.py            # writes tests/reference/vectors/half_training.json
    python tests/reference/make_half.py --seeds 5  # a few seeds, printed only

Rounding a product's operands to 8 bits of significand is noise in every gradient, and what hundreds of updates make of it can't
be derived; but it has a distribution, and another implementation shows which. Of each network the file has the mean and the
deviation over seeds of `ln(loss in bf16 / loss in f32)`, of the lowest validation loss of an epoch and of the last training loss,
and of the difference of the former epochs' accuracies.
"""

import copy
import json
import pathlib
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional

ROOT = pathlib.Path(__file__).parent
PATH = ROOT / "vectors" / "half_training.json"
SEEDS = 40
NETWORKS = {
    "perceptron": (lambda: nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)), (64,), 10),
    "convolutional": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(),
            nn.Linear(16, 10)),
        (1, 8, 8), 3),
}


def digits():
    path = ROOT.parent.parent / "data" / "digits.csv"
    names = path.open().readline().strip().split(",")
    rows = numpy.loadtxt(path, delimiter=",", skiprows=1)
    label = names.index("digit")
    pixels = [at for at, name in enumerate(names) if name not in ("digit", "writer")]
    return torch.tensor(rows[:, pixels] / 16, dtype=torch.float32), torch.tensor(rows[:, label].astype(int))


def split(labels, seed):
    """Four fifths of each class, and the rest."""
    random, parts = numpy.random.RandomState(seed), ([], [])
    for label in range(10):
        of = random.permutation(numpy.flatnonzero(labels.numpy() == label))
        cut = round(0.8 * len(of))
        parts[0].extend(of[:cut])
        parts[1].extend(of[cut:])
    return [numpy.sort(part) for part in parts]


def train(network, half, x, y, parts, epochs, seed):
    """Accuracy and validation loss of the epoch with the lowest, and the last training loss."""
    random = numpy.random.RandomState(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    found = []
    for _ in range(epochs):
        network.train()
        order, total = random.permutation(parts[0]), 0.0
        for start in range(0, len(order), 32):
            batch = order[start : start + 32]
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                output = network(x[batch])
            loss = functional.cross_entropy(output.float(), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        network.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            output = network(x[parts[1]]).float()
        right = (output.argmax(1) == y[parts[1]]).double().mean().item()
        found.append((right, functional.cross_entropy(output, y[parts[1]]).item(), total / len(order)))
    return (*min(found, key=lambda figures: figures[1])[:2], found[-1][2])


def compare(make, shape, epochs, seeds):
    x, y = digits()
    x = x.reshape(-1, *shape)
    rows = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        wide = make()
        narrow = copy.deepcopy(wide)
        parts = split(y, seed)
        a, b = (train(network, half, x, y, parts, epochs, seed) for network, half in [(wide, False), (narrow, True)])
        rows.append((b[0] - a[0], numpy.log(b[1] / a[1]), numpy.log(b[2] / a[2])))
    rows = numpy.array(rows)
    names = ("accuracy", "validation_loss", "train_loss")
    of = zip(names, rows.mean(0), rows.std(0, ddof=1), rows.min(0), rows.max(0))
    return {name: dict(zip(("mean", "deviation", "least", "most"), map(float, figures))) for name, *figures in of}


def main():
    torch.set_num_threads(1)
    few = int(sys.argv[sys.argv.index("--seeds") + 1]) if "--seeds" in sys.argv else None
    seeds = few or SEEDS
    found = dict(torch=torch.__version__, seeds=seeds)
    for name, (make, shape, epochs) in NETWORKS.items():
        found[name] = compare(make, shape, epochs, seeds)
    text = json.dumps(found, indent=1) + "\n"
    if few:
        print(text, end="")
    else:
        PATH.write_text(text)


main()
