"""Opens a file with the `safetensors` package and prints what it holds.

    python check_safetensors.py FILE

Output, one line each, sorted by name: `metadata KEY VALUE` and `tensor NAME DTYPE SHAPE` (shape as `3x4`, a scalar as `-`).
Exit status 1 with the reader's own message when the file doesn't open. It proves that a file of ours is a safetensors file
to a reader that knows nothing about us.
"""

import sys

from safetensors import safe_open


def describe(path):
    """The lines for one file; raises what the reader raises."""
    lines = []
    with safe_open(path, framework="numpy") as file:
        for key, value in sorted((file.metadata() or {}).items()):
            lines.append(f"metadata {key} {value!r}")
        for name in sorted(file.keys()):
            part = file.get_slice(name)
            shape = "x".join(str(size) for size in part.get_shape()) or "-"
            lines.append(f"tensor {name} {part.get_dtype()} {shape}")
    return lines


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check_safetensors.py FILE")
    try:
        lines = describe(sys.argv[1])
    except Exception as error:  # the reader's errors have no common type
        sys.exit(f"{sys.argv[1]}: not a readable safetensors file: {error}")
    print("\n".join(lines))


main()
