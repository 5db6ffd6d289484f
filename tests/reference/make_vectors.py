"""Writes the reference vectors with PyTorch; see README.md for the format.

    python make_vectors.py            writes vectors/*.safetensors
    python make_vectors.py --check    recomputes and compares with the committed files; exit status 1 on a difference
"""

import pathlib
import sys

import torch

from cases import half, host_operations, losses, networks, operations, optimizers, schedules
from cases.book import Book

LIMIT_BYTES = 1_500_000
FOLDER = pathlib.Path(__file__).resolve().parent / "vectors"
SUBJECTS = [operations, losses, optimizers, schedules, networks, host_operations, half]


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    torch.set_num_threads(1)  # one order of summation
    torch.use_deterministic_algorithms(True)
    total, wrong = 0, 0
    for subject in SUBJECTS:
        book = Book()
        subject.build(book)
        path = FOLDER / (subject.__name__.rsplit(".", 1)[-1] + ".safetensors")
        if check:
            for difference in book.differences(path):
                print(f"{path.name}: {difference}")
                wrong += 1
        else:
            FOLDER.mkdir(exist_ok=True)
            book.write(path)
        total += path.stat().st_size
        print(f"{path.name}: {len(book.lines)} cases, {len(book.tensors)} tensors, {path.stat().st_size} bytes")
    if total > LIMIT_BYTES:
        sys.exit(f"the vectors take {total} bytes, more than {LIMIT_BYTES}")
    sys.exit(1 if wrong else 0)


main()
