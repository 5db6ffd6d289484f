"""How near Optuna's TPE comes to the minimum of functions whose minimum is known: vectors/search.json.

    python tests/reference/make_search.py            # 50 seeds of each; some ten minutes
    python tests/reference/make_search.py --recipe target/release/emberlite   # on the trainings of recipes/penguins-search

Needs optuna. The functions and spaces are those of host/tests/search_functions.rs, which compares. A figure is
log10(best of the first n trials - minimum), its mean and sample standard deviation over the seeds.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import tempfile

import optuna

HERE = pathlib.Path(__file__).resolve().parent
COUNTS = (25, 50)


def sphere(t):
    return sum((t.suggest_float(n, -5, 5) - 1) ** 2 for n in "abcd")


def branin(t):
    x, y = t.suggest_float("x", -5, 10), t.suggest_float("y", 0, 15)
    valley = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def hartmann(t):
    x = [t.suggest_float(n, 0, 1) for n in "abcdef"]
    height = [1.0, 1.2, 3.0, 3.2]
    a = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
    p = [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
    return -sum(
        h * math.exp(-sum(a[i][j] * (x[j] - p[i][j] * 1e-4) ** 2 for j in range(6))) for i, h in enumerate(height)
    )


def rosenbrock(names):
    def of(t):
        x = [4 * t.suggest_float(n, 0, 1) - 2 for n in names]
        return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in zip(x, x[1:]))

    return of


def mixed(t):
    kind = "abcde".index(t.suggest_categorical("kind", list("abcde")))
    rate = math.log10(t.suggest_float("rate", 1e-5, 1, log=True)) + 2 + kind * 0.5
    width = t.suggest_int("width", 8, 64, step=8) / 64 - 0.5
    return rate**2 + 4 * width**2 + 0.3 * abs(kind - 2)


def tuning(t):
    kind = t.suggest_categorical("optimizer", ["sgd", "rmsprop", "adam", "adamw"])
    rate = math.log10(t.suggest_float("rate", 1e-5, 1, log=True))
    momentum = -math.log10(1 - t.suggest_float("momentum", 0, 0.95)) if kind == "sgd" else 0
    batch = math.log2(t.suggest_categorical("batch", [4, 8, 16, 32, 64]))
    decay = math.log10(t.suggest_float("decay", 1e-6, 0.1, log=True))
    width = math.log2(t.suggest_int("width", 2, 64, log=True))
    dropout = t.suggest_float("dropout", 0, 0.6)
    best = {"sgd": -1 - momentum, "rmsprop": -2.5, "adam": -2.2, "adamw": -2.0}[kind] + 0.15 * (batch - 4)
    handicap = {"sgd": 0.05, "rmsprop": 0.1}.get(kind, 0)
    return (
        0.5 * (rate - best) ** 2
        + 0.05 * (width - 5) ** 2
        + 0.03 * (decay + 4) ** 2
        + (dropout - 0.2) ** 2
        + handicap
        + 0.02 * abs(batch - 3)
    )


FUNCTIONS = {
    "sphere": (sphere, 0.0),
    "branin": (branin, 0.397887357),
    "hartmann6": (hartmann, -3.322368),
    "rosenbrock2": (rosenbrock("ab"), 0.0),
    "rosenbrock4": (rosenbrock("abcd"), 0.0),
    "mixed": (mixed, 0.0),
    "tuning": (tuning, 0.0),
}
SAMPLERS = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=False),
    "multivariate": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, warn_independent_sampling=False),
}


def values(function, sampler, trials):
    study = optuna.create_study(sampler=sampler)
    study.optimize(function, n_trials=trials)
    return [trial.value for trial in study.trials]


def functions(seeds):
    result = {"optuna": optuna.__version__, "seeds": seeds, "functions": {}}
    for name, (function, minimum) in FUNCTIONS.items():
        result["functions"][name] = {}
        for sampler, make in SAMPLERS.items():
            runs = [values(function, make(seed), max(COUNTS)) for seed in range(seeds)]
            logs = {n: [math.log10(max(min(run[:n]) - minimum, 1e-9)) for run in runs] for n in COUNTS}
            figures = {str(n): [statistics.mean(logs[n]), statistics.stdev(logs[n])] for n in COUNTS}
            result["functions"][name][sampler] = figures
            print(name, sampler, figures, flush=True)
    path = HERE / "vectors" / "search.json"
    path.write_text(json.dumps(result, indent=1) + "\n")


def training(program, text, folder):
    """The validation loss of the recipe's trainings, each by the program itself: a grid of one point."""

    def of(t):
        point = {"training.optimizer.name": t.suggest_categorical("name", ["sgd", "rmsprop", "adam", "adamw"])}
        point["training.optimizer.learning_rate"] = t.suggest_float("rate", 1e-5, 1, log=True)
        if point["training.optimizer.name"] == "sgd":
            point["training.optimizer.momentum"] = t.suggest_float("momentum", 0, 0.95)
        point["training.batch"] = t.suggest_categorical("batch", [4, 8, 16, 32, 64])
        point["training.penalty.l2"] = t.suggest_float("l2", 1e-6, 1e-1, log=True)
        point["model.layers.0.outputs"] = t.suggest_int("outputs", 2, 64, log=True)
        point["model.layers.2.rate"] = t.suggest_float("dropout", 0, 0.6)
        # Momentum is a setting of sgd, which the description itself doesn't take.
        when = {"training.optimizer.momentum": ', when = { "training.optimizer.name" = "sgd" }'}
        space = "".join(
            f'"{path}" = {{ choice = [{json.dumps(value)}]{when.get(path, "")} }}\n' for path, value in point.items()
        )
        model, run = folder / "model.toml", folder / "run"
        model.write_text(text + '[search]\nmethod = "grid"\n[search.space]\n' + space)
        (run / "trials.jsonl").unlink(missing_ok=True)
        words = [program, "search", "--model", model, "--run", run, "--quiet"]
        subprocess.run(words, check=False, capture_output=True)
        trial = json.loads((run / "trials.jsonl").read_text().splitlines()[1])
        if trial.get("score") is None:
            raise optuna.TrialPruned()
        return trial["score"]

    return of


def recipe(program, seeds):
    folder = HERE.parents[1] / "host" / "recipes" / "penguins-search"
    text = (folder / "model.toml").read_text().split("[search]")[0]
    data = (folder / "../data").resolve()
    text = text.replace("../data", str(data))
    with tempfile.TemporaryDirectory() as where:
        objective = training(program, text, pathlib.Path(where))
        for sampler, make in SAMPLERS.items():
            best = []
            for seed in range(seeds):
                found = [value for value in values(objective, make(seed), 25) if value is not None]
                best.append(min(found))
                print(sampler, seed, best[-1], flush=True)
            mean, deviation = statistics.mean(best), statistics.stdev(best) / math.sqrt(seeds)
            print(f"{sampler}: best of 25, mean of {seeds} seeds {mean:.5f} ± {deviation:.5f} (of the mean)")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--recipe", metavar="EMBERLITE")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if arguments.recipe:
        recipe(arguments.recipe, arguments.seeds)
    else:
        functions(arguments.seeds)


main()
