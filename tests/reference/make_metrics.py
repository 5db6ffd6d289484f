"""Writes the metrics' vectors with scikit-learn; see README.md for the format.

    python make_metrics.py            writes vectors/metrics.json
    python make_metrics.py --check    recomputes and compares with the committed file; exit status 1 on a difference
"""

import json
import math
import pathlib
import sys
import warnings

import numpy as np
import sklearn
from sklearn import metrics as m
from sklearn.calibration import calibration_curve

from cases.streams import stream

PATH = pathlib.Path(__file__).resolve().parent / "vectors" / "metrics.json"
BINS = 15


def of_classes(labels, predicted, classes):
    """Every figure of right and predicted classes, under our names."""
    def average(name, function, **more):
        out = {}
        for kind in ("macro", "micro", "weighted"):
            out[f"{name}_{kind}"] = function(labels, predicted, average=kind, zero_division=0, **more)
        each = function(labels, predicted, average=None, labels=range(classes), zero_division=0, **more)
        out.update({f"{name}_class_{c}": float(v) for c, v in enumerate(each)})
        if classes == 2:
            out[name] = function(labels, predicted, average="binary", pos_label=1, zero_division=0, **more)
        return out

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are predicted and absent
        out = {
            "accuracy": m.accuracy_score(labels, predicted),
            "balanced_accuracy": m.balanced_accuracy_score(labels, predicted),
            "matthews": m.matthews_corrcoef(labels, predicted),
            "cohen_kappa": m.cohen_kappa_score(labels, predicted),
        }
        out |= average("precision", m.precision_score)
        out |= average("recall", m.recall_score)
        out |= average("f1", m.f1_score)
        out |= average("f0.5", m.fbeta_score, beta=0.5)
        out |= average("f2", m.fbeta_score, beta=2)
    # Nothing to agree beyond chance: scikit-learn divides 0 by 0, we say 0.
    if math.isnan(out["cohen_kappa"]):
        del out["cohen_kappa"]
    return out


def calibration_error(labels, probabilities):
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    accuracy, confidence = calibration_curve(right, sure, n_bins=BINS)
    where = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], sure)
    counts = np.bincount(where, minlength=BINS)
    counts = counts[counts > 0]
    return float((counts * abs(accuracy - confidence)).sum() / len(labels))


def of_probabilities(labels, p, ties):
    classes = p.shape[1]
    everything = range(classes)
    out = {
        "log_loss": m.log_loss(labels, p, labels=everything),
        "brier_score": m.brier_score_loss(labels, p if classes > 2 else p[:, 1], labels=everything) if classes > 2
        else m.brier_score_loss(labels, p[:, 1]),
        "calibration_error": calibration_error(labels, p),
    }
    out["perplexity"] = math.exp(out["log_loss"])
    for k in range(1, classes if not ties else 1):
        score = p if classes > 2 else p[:, 1] - 0.5
        out[f"top_{k}_accuracy"] = m.top_k_accuracy_score(labels, score, k=k, labels=everything)
    present = set(labels) == set(everything)
    if classes == 2:
        out["roc_auc"] = m.roc_auc_score(labels, p[:, 1])
        out["average_precision"] = m.average_precision_score(labels, p[:, 1])
    elif present:
        hot = np.eye(classes)[labels]
        out["roc_auc_ovr"] = m.roc_auc_score(labels, p, multi_class="ovr", average="macro")
        out["roc_auc_ovr_weighted"] = m.roc_auc_score(labels, p, multi_class="ovr", average="weighted")
        out["average_precision_macro"] = m.average_precision_score(hot, p, average="macro")
        out["average_precision_weighted"] = m.average_precision_score(hot, p, average="weighted")
    return out


def classification(name, samples, classes, *, absent=(), sharpness=2.0, ties=False, labels=None):
    random = stream("metrics " + name)
    there = [c for c in range(classes) if c not in absent]
    if labels is None:
        labels = random.choice(there, size=samples)
    logits = random.standard_normal((samples, classes)) + sharpness * np.eye(classes)[labels]
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    if ties:  # eighths, which add up exactly
        p = np.floor(p * 8) / 8
        p[:, 0] += 1 - p.sum(axis=1)
    predicted = p.argmax(axis=1)
    return {
        "classes": classes,
        "labels": labels.tolist(),
        "probabilities": p.ravel().tolist(),
        "results": of_classes(labels, predicted, classes) | of_probabilities(labels, p, ties),
    }


def regression(name, targets, predictions):
    return {
        "targets": targets.tolist(),
        "predictions": predictions.tolist(),
        "results": {
            "mse": m.mean_squared_error(targets, predictions),
            "rmse": m.root_mean_squared_error(targets, predictions),
            "mae": m.mean_absolute_error(targets, predictions),
            "r2": m.r2_score(targets, predictions),
        },
    }


def build():
    normal = lambda name, n: stream("metrics " + name).standard_normal(n)
    y = normal("targets", 60)
    return {
        "binary": classification("binary", 80, 2),
        "binary, few positives": classification("few", 90, 2, labels=np.array([1] * 7 + [0] * 83)),
        "binary with ties": classification("binary ties", 64, 2, sharpness=0.7, ties=True),
        "binary, worse than chance": classification("worse", 40, 2, sharpness=-1.0),
        "four classes": classification("four", 120, 4),
        "ten classes": classification("ten", 150, 10, sharpness=1.5),
        "three classes with ties": classification("three ties", 60, 3, sharpness=0.8, ties=True),
        "a class without samples": classification("absent", 70, 5, absent=(3,), sharpness=0.5),
        "a class neither there nor predicted": classification("never", 30, 6, absent=(1, 4), sharpness=40.0),
        "numbers": regression("numbers", y, y + 0.3 * normal("errors", 60)),
        "numbers far from zero": regression("far", 1e6 + y, 1e6 + y * 0.9 + 0.1),
        "numbers worse than their mean": regression("worse", y, normal("unrelated", 60)),
        "numbers that are all the same": regression("same", np.full(9, 2.5), np.full(9, 2.5) + normal("same", 9)),
        "numbers met exactly": regression("exact", y, y.copy()),
    }


def differences(here, there, path=""):
    if isinstance(here, dict) and isinstance(there, dict):
        for key in sorted(here.keys() | there.keys()):
            if key not in here or key not in there:
                yield f"{path}/{key}: only in one of the two"
            else:
                yield from differences(here[key], there[key], f"{path}/{key}")
    elif isinstance(here, list) or isinstance(there, list):
        if not np.allclose(here, there, rtol=1e-14, atol=0):
            yield f"{path}: an input changed"
    elif isinstance(here, float) and not math.isclose(here, there, rel_tol=1e-12, abs_tol=1e-14):
        yield f"{path}: {there} became {here}"


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    cases = build()
    text = json.dumps({"scikit-learn": sklearn.__version__, "cases": cases}, indent=0, separators=(",", ":"))
    # A list is a line.
    text = text.replace(",\n", ",").replace("[\n", "[").replace("\n]", "]").replace('],"', '],\n"').replace('},"', '},\n"')
    if check:
        wrong = list(differences(cases, json.loads(PATH.read_text())["cases"]))
        print("\n".join(wrong) or "nothing differs")
        sys.exit(1 if wrong else 0)
    PATH.write_text(text + "\n")
    print(f"{PATH.name}: {len(cases)} cases, {sum(len(c['results']) for c in cases.values())} figures, {len(text)} bytes")


main()
