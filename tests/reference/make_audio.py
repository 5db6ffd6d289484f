#!/usr/bin/env python3
"""Writes tests/reference/vectors/audio.safetensors: log-mel spectra and MFCC of a short clip, by NumPy and SciPy.

    python tests/reference/make_audio.py            # writes
    python tests/reference/make_audio.py --check    # recomputes and compares

The formulas are those of librosa 0.11 (Slaney's scale: librosa.filters.mel, stft with center and zero padding, power_to_db,
scipy's orthonormal DCT-II) and of torchaudio's HTK scale with triangles of height 1, written out here in float64.
"""
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.fft import dct
from scipy.signal import get_window

RATE = 8000
PATH = Path(__file__).parent / "vectors" / "audio.safetensors"


def slaney_to_hz(mel):
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def hz_to_slaney(hz):
    return hz * 3 / 200 if hz < 1000 else 15 + np.log(hz / 1000) * 27 / np.log(6.4)


def filters(mels, fft, low, high, scale):
    if scale == "slaney":
        edges = slaney_to_hz(np.linspace(hz_to_slaney(low), hz_to_slaney(high), mels + 2))
    else:
        to = lambda f: 2595 * np.log10(1 + f / 700)
        edges = 700 * (10 ** (np.linspace(to(low), to(high), mels + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(fft, 1 / RATE)
    # As librosa writes it: slopes to all edges at once.
    ramps = edges[:, None] - bins[None, :]
    width = np.diff(edges)
    weights = np.maximum(0, np.minimum(-ramps[:-2] / width[:-1, None], ramps[2:] / width[1:, None]))
    if scale == "slaney":
        weights *= (2 / (edges[2:] - edges[:-2]))[:, None]
    return weights


def log_mel(wave, mels, window, hop, fft, low, high, scale, top_db):
    hann = np.zeros(fft)
    start = (fft - window) // 2
    hann[start:start + window] = get_window("hann", window, fftbins=True)
    padded = np.pad(wave, fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, fft)[::hop]
    power = np.abs(np.fft.rfft(frames * hann, axis=1)) ** 2
    decibels = 10 * np.log10(np.maximum(1e-10, power @ filters(mels, fft, low, high, scale).T)).T
    return np.maximum(decibels, decibels.max() - top_db) if top_db else decibels


def main():
    random = np.random.RandomState(7)
    t = np.arange(2000) / RATE
    wave = 0.5 * np.sin(2 * np.pi * (300 + 900 * t) * t) * np.exp(-2 * t) + 0.01 * random.randn(t.size)
    wave = wave.astype(np.float32).astype(np.float64)
    tensors = {"wave": wave}
    for scale, low, high, top_db, coefficients in [("slaney", 0, RATE / 2, 80, 13), ("htk", 100, 3500, 0, 20)]:
        mel = log_mel(wave, 20, 200, 80, 256, low, high, scale, top_db)
        tensors[f"{scale}/log_mel"] = np.ascontiguousarray(mel)
        tensors[f"{scale}/mfcc"] = np.ascontiguousarray(dct(mel, type=2, axis=0, norm="ortho")[:coefficients])
    if "--check" in sys.argv:
        kept = load_file(PATH)
        assert kept.keys() == tensors.keys()
        for name, values in tensors.items():
            np.testing.assert_allclose(kept[name], values, rtol=1e-9, atol=1e-9, err_msg=name)
        print("equal")
    else:
        save_file(tensors, PATH, {"numpy": np.__version__})


main()
