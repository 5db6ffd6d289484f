"""Writes state dicts as people have them, with inputs and what PyTorch computes from them.

    python make_states.py            writes states/
    python make_states.py --check    recomputes the outputs of what is committed; exit status 1 on a difference

`states/outputs.safetensors` has `NAME/x` and `NAME/y`. The networks' `model.toml`s are in `../../host/tests/import_states.rs`, and
`check_load.py` loads what Emberlite writes back into the same networks.
"""

import pathlib
import sys

import numpy as np
import torch
import torch.nn as nn
from safetensors.torch import load_file, save_file

FOLDER = pathlib.Path(__file__).resolve().parent / "states"


class Block(nn.Module):
    """ResNet's basic block."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(Block(4, 4, 1))
        self.layer2 = nn.Sequential(Block(4, 6, 2))
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x)))))
        return self.fc(x.mean((2, 3)))


class Lstm(nn.Module):
    """Two layers in one module, both directions."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        _, (h, _) = self.rnn(x)
        return self.head(torch.cat([h[-2], h[-1]], 1))


class Encoder(nn.Module):
    """Tokens to a class, with PyTorch's own encoder layers (norm after)."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.positions = nn.Parameter(torch.zeros(1, 6, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.classifier = nn.Linear(8, 3)

    def forward(self, x):
        return self.classifier(self.encoder(self.embedding(x.long()) + self.positions).mean(1))


class DecoderBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1 = nn.LayerNorm(8)
        self.attn = nn.MultiheadAttention(8, 4, batch_first=True)
        self.ln_2 = nn.LayerNorm(8)
        self.fc = nn.Linear(8, 16)
        self.proj = nn.Linear(16, 8)

    def forward(self, x):
        mask = torch.triu(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool), 1)
        h = self.ln_1(x)
        x = x + self.attn(h, h, h, attn_mask=mask, need_weights=False)[0]
        return x + self.proj(torch.nn.functional.gelu(self.fc(self.ln_2(x)), approximate="tanh"))


class Decoder(nn.Module):
    """A language model, norm before."""

    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(13, 8)
        self.wpe = nn.Embedding(5, 8)
        self.blocks = nn.ModuleList([DecoderBlock() for _ in range(2)])
        self.ln_f = nn.LayerNorm(8)
        self.lm_head = nn.Linear(8, 13, bias=False)

    def forward(self, x):
        h = self.wte(x.long()) + self.wpe(torch.arange(x.shape[1]))
        for block in self.blocks:
            h = block(h)
        return self.lm_head(self.ln_f(h))


NETWORKS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)), (4,), None),
    "resnet": (ResNet, (3, 6, 6), None),
    "lstm": (Lstm, (5, 3), None),
    "encoder": (Encoder, (6,), 11),
    "decoder": (Decoder, (5,), 13),
}


def build(name):
    make, shape, tokens = NETWORKS[name]
    torch.manual_seed(17)
    network = make().eval()
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                offset = 1.0 if key.endswith("running_var") else 0.0
                value.add_(torch.randn(value.shape) * 0.2)
                if offset:
                    value.copy_(value.abs() + 0.5)
    x = torch.randn(4, *shape) if tokens is None else torch.randint(0, tokens, (4, *shape)).float()
    return network, x


def rounded(network, dtype):
    """The network with the weights that a file of `dtype` holds."""
    state = {key: value.to(dtype).clone() if value.is_floating_point() else value for key, value in network.state_dict().items()}
    network.load_state_dict({key: value.float() if value.is_floating_point() else value for key, value in state.items()})
    return state


def main():
    check = sys.argv[1:] == ["--check"]
    FOLDER.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    results = {}
    for name in NETWORKS:
        network, x = build(name)
        state = rounded(network, {"encoder": torch.bfloat16, "decoder": torch.float16}.get(name, torch.float32))
        with torch.no_grad():
            results[f"{name}/x"], results[f"{name}/y"] = x, network(x)
        if check:
            continue
        if name == "mlp":
            torch.save(state, FOLDER / "mlp.pth")
        elif name == "resnet":  # as training scripts with several GPUs leave it
            optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
            network.fc.bias.sum().backward()
            optimizer.step()
            wrapped = {"module." + key: value for key, value in state.items()}
            torch.save({"epoch": 3, "state_dict": wrapped, "optimizer": optimizer.state_dict()}, FOLDER / "resnet.pth")
        elif name == "lstm":
            torch.save(state, FOLDER / "lstm.pt")
        else:
            save_file(state, FOLDER / f"{name}.safetensors")
    if check:
        committed = load_file(FOLDER / "outputs.safetensors")
        wrong = [key for key in results if not np.allclose(results[key], committed[key], rtol=1e-5, atol=1e-6)]
        print("differ: " + ", ".join(wrong) if wrong else "equal")
        sys.exit(1 if wrong else 0)
    save_file(results, FOLDER / "outputs.safetensors")
    for path in sorted(FOLDER.iterdir()):
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
