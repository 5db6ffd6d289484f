"""Loads a file that Emberlite wrote into PyTorch's network of that name, strictly, and compares the outputs.

    python check_load.py NAME FILE.safetensors       NAME is one of make_states.py's networks; exit status 1 on a difference
"""

import sys

import torch
from safetensors.torch import load_file

from make_states import FOLDER, build

name, path = sys.argv[1:]
network, _ = build(name)
state = load_file(path)
own = network.state_dict()
for key in own:
    if key.endswith("num_batches_tracked"):
        state[key] = own[key]
    elif key in state and state[key].shape != own[key].shape and state[key].numel() == own[key].numel():
        state[key] = state[key].reshape(own[key].shape)  # positions with a batch of one in front
network.load_state_dict(state)
outputs = load_file(FOLDER / "outputs.safetensors")
with torch.no_grad():
    off = (network(outputs[f"{name}/x"]) - outputs[f"{name}/y"]).abs().max().item()
print(f"{name}: outputs differ by at most {off:.3g}")
sys.exit(0 if off < 1e-5 else 1)
