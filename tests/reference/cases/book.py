"""Collects the cases of one file: tensors by name, and one line of attributes for each case."""

import json
import struct

import numpy as np
import torch
from safetensors.numpy import load_file

from .streams import stream  # noqa: F401, the cases take it from here

DTYPES = {"float32": "F32", "float64": "F64", "int32": "I32"}


def f32(value):
    """The float64 value of the nearest float32: what a float32 implementation holds for this hyperparameter."""
    return float(np.float32(value))


def text(value):
    """An attribute as text: a list as `3x9x7`, a truth value as 0 or 1, a float so that it reads back exactly."""
    if isinstance(value, (tuple, list, torch.Size)):
        return "x".join(text(part) for part in value)
    if isinstance(value, bool):
        return "1" if value else "0"
    return repr(value) if isinstance(value, float) else str(value)


class Book:
    def __init__(self):
        self.tensors = {}
        self.lines = {}

    def case(self, name, **attributes):
        assert name not in self.lines, f"two cases are called {name}"
        self.lines[name] = " ".join(f"{key}={text(value)}" for key, value in attributes.items())

    def put(self, name, array, dtype=np.float32):
        """One tensor as it is; numpy or torch."""
        if isinstance(array, torch.Tensor):
            array = array.detach().numpy()
        array = np.ascontiguousarray(array, dtype=dtype)
        assert name not in self.tensors, f"two tensors are called {name}"
        assert np.isfinite(array).all(), f"{name} isn't finite"
        self.tensors[name] = array.reshape(array.shape or (1,))

    def result(self, name, single, double):
        """A result twice: what float32 gives and the truth."""
        self.put(name, single)
        self.put(name + ".f64", double, np.float64)

    def write(self, path):
        """The file, the same bytes each time: `safetensors.save_file` writes the metadata in an order that changes by run."""
        header = {"__metadata__": {**self.lines, "torch": torch.__version__, "numpy": np.__version__}}
        order = sorted(self.tensors, key=lambda name: (-self.tensors[name].itemsize, name))  # widest first keeps all aligned
        end = 0
        for name in order:
            array = self.tensors[name]
            start, end = end, end + array.nbytes
            header[name] = {"dtype": DTYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": [start, end]}
        head = json.dumps(header, separators=(",", ":")).encode()
        head += b" " * (-len(head) % 8)
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(head)) + head)
            for name in order:
                file.write(self.tensors[name].astype(self.tensors[name].dtype.newbyteorder("<")).tobytes())

    def differences(self, path):
        """What a committed file has that this book hasn't, or holds otherwise. Inputs and labels must be the same bits."""
        found = load_file(path)
        for name in sorted(found.keys() ^ self.tensors.keys()):
            yield f"{name}: only in one of the two"
        for name in sorted(found.keys() & self.tensors.keys()):
            here, there = self.tensors[name], found[name]
            if here.shape != there.shape or here.dtype != there.dtype:
                yield f"{name}: {here.dtype}{here.shape} against {there.dtype}{there.shape}"
            elif name + ".f64" in self.tensors:  # a float32 result: its last bits are the library's
                continue
            elif here.dtype == np.float64 and not np.allclose(here, there, rtol=1e-9, atol=1e-13):
                yield f"{name}: the truth moved by {np.abs(here - there).max():.3g}"
            elif here.dtype != np.float64 and not np.array_equal(here, there):
                yield f"{name}: an input changed"
