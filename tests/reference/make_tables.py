#!/usr/bin/env python3
"""What scikit-learn makes of a table with gaps, for the host's `data::Prepare`.

    python tests/reference/make_tables.py            # writes tests/reference/vectors/tables.json
    python tests/reference/make_tables.py --check    # recomputes and compares with what is committed

The table is data/penguins.csv. Every fourth row (0, 4, 8, …) is the test part, the rest the training part. Numbers are rounded
to float32 first, as the host reads them, then everything is float64. `pipeline` is a scikit-learn Pipeline on the four measures:
clip to Tukey's fences of the training part's present values, SimpleImputer(median), scaler. `fold_sizes` are those of
scikit-learn's KFold, `class_weights` its "balanced".
"""

import argparse
import csv
import json
import pathlib
import sys

import numpy as np
import sklearn
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (FunctionTransformer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler,
                                   StandardScaler)
from sklearn.utils.class_weight import compute_class_weight

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/reference/vectors/tables.json"
MEASURES = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]


def numbers(rows):
    cells = [[np.nan if row[name] == "NA" else float(row[name]) for name in MEASURES] for row in rows]
    return np.array(cells).astype(np.float32).astype(np.float64)


def compute():
    with open(ROOT / "data/penguins.csv") as file:
        rows = list(csv.DictReader(file))
    train = [row for index, row in enumerate(rows) if index % 4]
    test = [row for index, row in enumerate(rows) if not index % 4]
    x, x_test = numbers(train), numbers(test)
    out = {"sklearn": sklearn.__version__, "measures": MEASURES}
    out["imputer"] = {how: SimpleImputer(strategy=how).fit(x).statistics_.tolist()
                      for how in ("mean", "median", "most_frequent")}
    q1, q3 = np.nanquantile(x, 0.25, axis=0), np.nanquantile(x, 0.75, axis=0)
    mean, std = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    out["iqr"] = [(q1 - 1.5 * (q3 - q1)).tolist(), (q3 + 1.5 * (q3 - q1)).tolist()]
    out["z_score"] = [(mean - 1.5 * std).tolist(), (mean + 1.5 * std).tolist()]
    within = lambda row: not ((row < mean - 1.5 * std) | (row > mean + 1.5 * std)).any()
    out["z_score_kept"] = [index for index, row in enumerate(x) if within(row)]
    low, high = q1 - 0.5 * (q3 - q1), q3 + 0.5 * (q3 - q1)
    scalers = {"standardise": StandardScaler(), "min_max": MinMaxScaler(), "range": MinMaxScaler((-1, 2)), "robust": RobustScaler()}
    out["pipeline"] = {}
    for name, scaler in scalers.items():
        clip = FunctionTransformer(lambda x: np.clip(x, low, high))
        pipeline = make_pipeline(clip, SimpleImputer(strategy="median"), scaler).fit(x)
        out["pipeline"][name] = pipeline.transform(x_test).tolist()
    texts = lambda rows, name: np.array([[row[name]] for row in rows if row[name] != "NA"], dtype=object)
    sex = SimpleImputer(missing_values="NA", strategy="most_frequent")
    sex.fit(np.array([[row["sex"]] for row in train], dtype=object))
    out["sex_fill"] = str(sex.statistics_[0])
    one_hot = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(texts(train, "island"))
    out["one_hot"] = {"categories": one_hot.categories_[0].tolist(),
                      "test": one_hot.transform(texts(test, "island")).tolist(),
                      "unknown": one_hot.transform([["Atlantis"]])[0].tolist()}
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(texts(train, "island"))
    out["ordinal"] = {"test": ordinal.transform(texts(test, "island"))[:, 0].tolist(),
                      "unknown": ordinal.transform([["Atlantis"]])[0].tolist()}
    species = [row["species"] for row in rows]
    classes = sorted(set(species))
    weights = compute_class_weight("balanced", classes=np.array(classes), y=np.array(species))
    out["class_weights"] = dict(zip(classes, weights.tolist()))
    out["fold_sizes"] = {f"{n},{k}": [len(test) for _, test in KFold(k, shuffle=True, random_state=0).split(np.zeros(n))]
                         for n, k in ((344, 5), (10, 3), (7, 7))}
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    fresh = json.dumps(compute(), sort_keys=True) + "\n"
    if parser.parse_args().check:
        same = OUT.exists() and OUT.read_text() == fresh
        print("ok" if same else "DIFFERS", OUT.relative_to(ROOT))
        sys.exit(0 if same else 1)
    OUT.write_text(fresh)
    print("wrote", OUT.relative_to(ROOT), len(fresh), "bytes")


if __name__ == "__main__":
    main()
