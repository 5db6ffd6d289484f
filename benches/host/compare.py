#!/usr/bin/env python3
"""Training steps on a CPU: Emberlite against PyTorch, same weights, same batch, same threads, turn by turn.

    python benches/host/compare.py                      # prints a table
    python benches/host/compare.py --record FILE.md     # writes it too

Needs torch, numpy and safetensors. Rounds alternate between the two, so that whatever else the machine does hits both; a
round's first steps are left out. Before anything is timed the losses of both must agree (see BOUND): a fast wrong answer
is no answer. PyTorch runs eagerly, in f32, with glibc's allocator told to keep memory as ours does; without that it
is slower.
"""

import argparse, json, os, platform, statistics, subprocess, sys, tempfile, time

KEEP = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_TOP_PAD_": str(64 << 20)}
WARM = 3
# Steps whose losses are compared. Both sum the same products in f32 in different orders; a loss near 2.3 carries a few roundings
# of 2^-24, the weights' differences grow with each step. 1e-4 of the loss is far above what was seen and far below what
# a wrong formula gives.
AGREE, BOUND = 10, 1e-4

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def models(torch):
    nn = torch.nn
    convnet = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 7 * 7, 10),
    )
    mlp = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    return {"convnet": (convnet, (100, 1, 28, 28), 20), "mlp": (mlp, (100, 784), 300)}


def ours(process, model, path, steps):
    process.stdin.write(f"{model} {path} {steps}\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        sys.exit("our half ended; see its message above")
    return json.loads(answer)


def theirs(torch, state, network, x, labels, steps):
    network.load_state_dict(state)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    loss_of = torch.nn.CrossEntropyLoss()
    losses, ms = [], []
    for _ in range(steps):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(network(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        ms.append((time.perf_counter() - start) * 1e3)
    return {"losses": losses, "ms": ms}


def executable():
    build = ["cargo", "bench", "-p", "emberlite-host", "--bench", "speed", "--no-run", "--message-format=json"]
    lines = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    found = [m["executable"] for m in map(json.loads, lines) if m.get("target", {}).get("name") == "speed" and m.get("executable")]
    return found[-1]


def processor():
    with open("/proc/cpuinfo") as info:
        return next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.processor())


def figures(all_ms):
    return min(all_ms), statistics.median(all_ms), max(all_ms)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--models", default="convnet,mlp")
    parser.add_argument("--executable", help="our half, already built")
    parser.add_argument("--record", help="a file for the table")
    options = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in KEEP.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **KEEP})

    import numpy, torch
    from safetensors.torch import save_file

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    binary = options.executable or executable()
    environment = {**os.environ, "RAYON_NUM_THREADS": str(options.threads)}
    process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    rows, loads = [], [os.getloadavg()[0]]
    for name in options.models.split(","):
        network, shape, steps = models(torch)[name]
        x = torch.from_numpy(numpy.random.RandomState(3).uniform(-1, 1, shape).astype("float32"))
        labels = torch.from_numpy(numpy.random.RandomState(4).randint(0, 10, shape[0]))
        state = {key: value.clone() for key, value in network.state_dict().items()}
        with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
            save_file({**state, "x": x, "labels": labels.float()}, file.name)
            a, b = ours(process, name, file.name, AGREE), theirs(torch, state, network, x, labels, AGREE)
            off = max(abs(p - q) / max(abs(q), 1.0) for p, q in zip(a["losses"], b["losses"]))
            if off > BOUND:
                sys.exit(f"{name}: the losses differ by {off:.1e}: ours {a['losses']}, PyTorch's {b['losses']}")
            both, ratios = ([], []), []
            for _ in range(options.rounds):
                a = ours(process, name, file.name, steps + WARM)["ms"][WARM:]
                b = theirs(torch, state, network, x, labels, steps + WARM)["ms"][WARM:]
                both[0].extend(a)
                both[1].extend(b)
                ratios.append(statistics.median(b) / statistics.median(a))
            loads.append(os.getloadavg()[0])
            rows.append((name, figures(both[0]), figures(both[1]), figures(ratios), off))
    process.stdin.close()
    process.wait()

    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout.strip()
    text = [
        f"- {time.strftime('%Y-%m-%d')}, commit {commit}, {processor()}, {options.threads} threads of {os.cpu_count()}, "
        f"load {min(loads):.1f} to {max(loads):.1f}, torch {torch.__version__}, f32, {options.rounds} rounds",
        "- `python benches/host/compare.py" + (f" --models {options.models}" if options.models else "") + "`",
        "",
        "| model | ours, ms a step: least / median / most | PyTorch | ratio of a round: least / median / most | losses differ by |",
        "|---|---|---|---|---|",
    ]
    three = lambda v, digits=2: " / ".join(f"{number:.{digits}f}" for number in v)
    for name, a, b, ratio, off in rows:
        text.append(f"| {name} | {three(a)} | {three(b)} | {three(ratio)} | {off:.0e} |")
    text = "\n".join(text) + "\n"
    print(text)
    if options.record:
        with open(options.record, "w") as file:
            file.write(text)


if __name__ == "__main__":
    main()
