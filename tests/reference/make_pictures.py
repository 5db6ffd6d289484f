#!/usr/bin/env python3
"""Writes tests/reference/vectors/pictures.safetensors: a picture at other sizes, by Pillow.

    python tests/reference/make_pictures.py            # writes
    python tests/reference/make_pictures.py --check    # recomputes and compares

Pillow's BILINEAR is what torchvision's Resize and CenterCrop do to a PIL image: a triangle whose support grows when it shrinks.
"""
import io
import sys
from pathlib import Path

import numpy as np
import PIL
from PIL import Image
from safetensors.numpy import load_file, save_file

PATH = Path(__file__).parent / "vectors" / "pictures.safetensors"
WIDTH, HEIGHT = 23, 17


def scaled(picture, factor):
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), Image.BILINEAR)


def middle(picture, width, height):
    """The middle of the picture, or the picture in the middle of black."""
    out = Image.new("RGB", (width, height))
    out.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
    return out


def main():
    random = np.random.RandomState(3)
    # Smooth, with some noise: as photographs are.
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = [127 + 90 * np.sin(x / a + y / b) for a, b in [(3, 5), (7, 2), (4, 4)]]
    pixels = np.clip(np.stack(waves, -1) + random.randn(HEIGHT, WIDTH, 3) * 12, 0, 255).astype(np.uint8)
    picture = Image.fromarray(pixels)
    png = io.BytesIO()
    picture.save(png, "PNG")
    results = {
        "stretch/8x5": picture.resize((8, 5), Image.BILINEAR),
        "stretch/40x30": picture.resize((40, 30), Image.BILINEAR),
        # Both sides at least 10 and 12 long; then at most.
        "crop/10x12": middle(scaled(picture, 12 / HEIGHT), 10, 12),
        "pad/10x12": middle(scaled(picture, 10 / WIDTH), 10, 12),
        "shorter14/9x9": middle(scaled(picture, 14 / HEIGHT), 9, 9),
    }
    tensors = {name: np.ascontiguousarray(np.asarray(result).transpose(2, 0, 1)) for name, result in results.items()}
    tensors["grey/23x17"] = np.asarray(picture.convert("L"))[None].copy()
    tensors["png"] = np.frombuffer(png.getvalue(), np.uint8).copy()
    if "--check" in sys.argv:
        kept = load_file(PATH)
        assert kept.keys() == tensors.keys()
        for name, values in tensors.items():
            if name != "png":
                np.testing.assert_array_equal(kept[name], values, err_msg=name)
        print("equal")
    else:
        save_file(tensors, PATH, {"pillow": PIL.__version__})


main()
