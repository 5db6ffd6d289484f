"""Losses: the value and the gradient with respect to the logits (or the prediction)."""

import numpy as np
import torch
import torch.nn.functional as F

from .book import f32, stream


def one(book, name, kind, apply, logits, **attributes):
    single, double = [], []
    for dtype, out in ((torch.float32, single), (torch.float64, double)):
        leaf = torch.tensor(logits, dtype=dtype).requires_grad_()
        loss = apply(leaf)
        loss.backward()
        out.extend([loss.detach(), leaf.grad])
    book.case(name, loss=kind, n=len(logits), **attributes)
    book.put(f"{name}/logits", logits)
    for index, field in enumerate(("loss", "dlogits")):
        book.result(f"{name}/{field}", single[index], double[index])


def cross_entropy(book, name, logits, label):
    book.put(f"{name}/label", np.array([label]), np.int32)
    one(book, name, "softmax_cross_entropy", lambda x: F.cross_entropy(x.unsqueeze(0), torch.tensor([label])), logits)


def against(book, name, kind, function, logits, target, **attributes):
    """A loss with a target of the prediction's shape, mean over the elements."""
    book.put(f"{name}/target", target)
    one(book, name, kind, lambda x: function(x, torch.tensor(target, dtype=x.dtype)), logits, **attributes)


def build(book):
    normal = lambda name, n, scale=1.0: (stream(name).standard_normal(n) * scale).astype(np.float32)
    for n, scale in [(2, 1.0), (3, 1.0), (10, 2.0), (37, 5.0), (100, 1.0)]:
        name = f"cross_entropy_{n}"
        cross_entropy(book, name, normal(name, n, scale), n // 3)
    far = np.array([1000.0, -1000.0, 0.0, 999.0, 3.0], np.float32)  # exp() of these overflows unless the maximum is taken off
    cross_entropy(book, "cross_entropy_far_right", far, 0)
    cross_entropy(book, "cross_entropy_far_wrong", far, 1)
    cross_entropy(book, "cross_entropy_sure", np.array([40.0, 0.0, -3.0], np.float32), 0)
    cross_entropy(book, "cross_entropy_equal", np.full(7, 2.5, np.float32), 6)

    for n in (1, 5, 24):
        name = f"bce_{n}"
        target = (stream(name + "/target").uniform(size=n) > 0.5).astype(np.float32)
        against(book, name, "bce_with_logits", F.binary_cross_entropy_with_logits, normal(name, n, 3.0), target)
    soft = stream("bce soft").uniform(size=9).astype(np.float32)
    against(book, "bce_soft", "bce_with_logits", F.binary_cross_entropy_with_logits, normal("bce_soft", 9, 2.0), soft)
    edge = np.array([0.0, -0.0, 50.0, -50.0, 90.0, -90.0, 1000.0, -1000.0], np.float32)
    against(book, "bce_far", "bce_with_logits", F.binary_cross_entropy_with_logits, edge, np.array([0, 1] * 4, np.float32))

    for n in (1, 6, 50):
        name = f"mse_{n}"
        against(book, name, "mse", F.mse_loss, normal(name, n), normal(name + "/target", n))
    for n, delta in [(1, 1.0), (12, 1.0), (30, 0.5), (30, f32(1.35))]:
        name = f"huber_{n}_{round(delta * 100)}"
        against(book, name, "huber", lambda x, t: F.huber_loss(x, t, delta=delta), normal(name, n, 2.0), normal(name + "/target", n), delta=delta)
    # Exactly on the seam, and on it from below and above.
    seam = np.array([0.5, -0.5, 0.49999997, 0.50000006, 0.0], np.float32)
    against(book, "huber_seam", "huber", lambda x, t: F.huber_loss(x, t, delta=0.5), seam, np.zeros(5, np.float32), delta=0.5)
