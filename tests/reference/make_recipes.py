#!/usr/bin/env python3
"""What scikit-learn gets on the rows that the recipes in host/recipes learn from and are judged by.

    python tests/reference/make_recipes.py            # writes the end of each recipe.toml, from `# Below` on
    python tests/reference/make_recipes.py --check    # compares with what is there

Needs scikit-learn, and for `credit` the set that `emberlite recipes fetch credit` gets (without it that recipe is left as it
is). The split is the recipe's own: the hash below is `data::random::hash` written a second time, and the rows that it chooses
are written down too, so that a test compares them with the rows that the program chooses.

The strength of a penalty: scikit-learn minimises C * (sum of losses) + |w|^2 / 2, Emberlite (mean of losses) + l2 * |w|^2 / 2
over n samples, so the same minimum has l2 = 1 / (n * C). Neither penalises the intercepts.
"""

import argparse
import csv
import pathlib
import sys
import warnings

import numpy as np
import sklearn
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPES = ROOT / "host/recipes"
MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix(x):
    """SplitMix64's finaliser (Steele, Lea and Flood, 2014)."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def hashed(seed, index):
    return mix((mix((seed + GOLDEN) & MASK) + index * GOLDEN) & MASK)


def stratified(labels, share, seed):
    """The rows that are held back: of each class, in the order of the classes, those with the smallest hashes."""
    held = []
    for label in sorted(set(labels)):
        rows = [row for row, other in enumerate(labels) if other == label]
        count = min(max(int(len(rows) * share + 0.5), 1), max(len(rows) - 1, 1))
        held += sorted(rows, key=lambda row: hashed(seed, row))[:count]
    return sorted(held)


def table(name, label, drop=()):
    with open(name, newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [column for column in rows[0] if column != label and column not in drop]
    return rows, columns, [row[label] for row in rows]


def linear(name, label, classes, c, share=0.2, seed=1, drop=()):
    """Logistic (two classes) or softmax regression on standardised columns."""
    rows, columns, labels = table(ROOT / name, label, drop)
    x = np.array([[float(row[column]) for column in columns] for row in rows])
    y = np.array([classes.index(label) for label in labels])
    test = stratified([classes.index(label) for label in labels], share, seed) if share else []
    train = [row for row in range(len(rows)) if row not in set(test)]
    scale = StandardScaler().fit(x[train])
    model = LogisticRegression(C=c, tol=1e-10, max_iter=100_000).fit(scale.transform(x[train]), y[train])
    judged = test or train
    predicted = model.predict(scale.transform(x[judged]))
    figures = {"accuracy": [accuracy_score(y[judged], predicted)]}
    # With two classes there is one row of weights, else one a class; Emberlite has no row to spare either.
    figures["coefficients"] = np.concatenate([model.coef_.ravel(), model.intercept_]).tolist()
    return figures | {"test_rows": test, "l2": [1 / (len(train) * c)]}


def perceptron(name, label, classes, categorical, features=None, drop_rows=False, share=0.2, seed=1):
    """A network of one hidden layer on a table with missing values; the second class is the positive one."""
    rows, columns, _ = table(name, label)
    columns = features or columns
    missing = lambda row, column: row[column] in ("", "NA")
    kept = [n for n, row in enumerate(rows) if not (drop_rows and any(missing(row, column) for column in [*columns, label]))]
    rows = [rows[n] for n in kept]
    y = np.array([classes.index(row[label]) for row in rows])
    test = stratified(y.tolist(), share, seed)
    train = sorted(set(range(len(rows))) - set(test))
    parts = []
    for column in columns:
        cells = [None if missing(row, column) else row[column] for row in rows]
        if column in categorical:
            cells = np.array(cells, dtype=object)[:, None]
            steps = make_pipeline(SimpleImputer(strategy="most_frequent", missing_values=None), OneHotEncoder(handle_unknown="ignore", sparse_output=False))
        else:
            cells = np.array([np.nan if cell is None else float(cell) for cell in cells])[:, None]
            steps = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        parts.append(steps.fit(cells[train]).transform(cells))
    x = np.hstack(parts)
    scores = []
    for random_state in range(5):
        model = MLPClassifier((16,), learning_rate_init=0.001, alpha=0, batch_size=10, max_iter=100, n_iter_no_change=100, random_state=random_state)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that 100 epochs may be too few
            model.fit(x[train], y[train])
        predicted = model.predict(x[test])
        scores.append([score(y[test], predicted) for score in (accuracy_score, precision_score, recall_score, f1_score)])
    means = np.mean(scores, 0)
    figures = {name: [mean] for name, mean in zip(("accuracy", "precision", "recall", "f1"), means)}
    return figures | {"deviation_between_seeds": np.std(scores, 0).tolist(), "inputs": [x.shape[1]], "test_rows": [kept[row] for row in test]}


def recipes():
    yield "logistic-toy", linear("host/recipes/data/toy.csv", "class", ["no", "yes"], 1.0, share=0)
    yield "logistic-cancer", linear("data/breast_cancer.csv", "diagnosis", ["benign", "malignant"], 1.0)
    yield "softmax-iris", linear("data/iris.csv", "species", ["setosa", "versicolor", "virginica"], 1.0)
    yield "softmax-wine", linear("data/wine.csv", "cultivar", ["class_0", "class_1", "class_2"], 1.0)
    digits = [str(digit) for digit in range(10)]
    yield "softmax-digits", linear("data/digits.csv", "digit", digits, 1.0, drop=("writer",))
    measured = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "species", "island"]
    penguins = perceptron(ROOT / "data/penguins.csv", "sex", ["female", "male"], measured[4:], measured, drop_rows=True)
    yield "penguins", penguins
    credit = RECIPES / "data/credit/credit_data.csv"
    if credit.exists():
        yield "credit", perceptron(credit, "Status", ["good", "bad"], ["Home", "Marital", "Records", "Job"])


def text(figures):
    lines = [f"# Below: scikit-learn {sklearn.__version__} on the same rows, by tests/reference/make_recipes.py.", "[reference]"]
    for name, values in figures.items():
        numbers = [str(v) if isinstance(v, int) else np.format_float_positional(v, 8, fractional=False, trim="0") for v in values]
        if len(numbers) <= 6:
            lines.append(f"{name} = [{', '.join(numbers)}]")
        else:
            lines.append(f"{name} = [")
            lines += [f"    {', '.join(numbers[i : i + 8])}," for i in range(0, len(numbers), 8)]
            lines.append("]")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    differ = False
    for name, figures in recipes():
        path = RECIPES / name / "recipe.toml"
        old = path.read_text()
        new = old.split("# Below:")[0].rstrip() + "\n\n" + text(figures)
        if not check:
            path.write_text(new)
        differ |= check and new != old
        print(f"{'DIFFERS' if check and new != old else 'ok'}  {name}  accuracy {figures['accuracy'][0]:.4f}")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
