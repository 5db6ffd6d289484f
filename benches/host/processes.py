#!/usr/bin/env python3
"""Samples a second of two ranks that share each batch, against one: two processes (`mpirun -np 2 emberlite train`), and two
devices of one process (`--device cpu,cpu`, the way of several GPUs), one thread each.

    cargo build --release -p emberlite-host --features mpi
    python benches/host/processes.py                    # prints a table
    python benches/host/processes.py --record FILE.md   # writes it too

Needs Open MPI and two free cores. Rounds alternate between the three. The samples are noise of MNIST's shape, made here: a speed
doesn't ask what they show. Loss curves are compared too: that of two ranks must be that of one within the rounding of another
order of the sums (see `host/src/train/group.rs`).
"""

import argparse, json, os, random, statistics, struct, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, HERE)

from compare_common import ROOT, commit, figures, processor, publish, three  # noqa: E402

SAMPLES, EPOCHS = 10_000, 3
# Sums of 100 terms in another order: 300 updates times 100 * 2^-24 of losses and slopes of a few units.
BOUND = 1e-2
# One thread a process; and nothing is started on other machines, for which Open MPI would ask for ssh.
ALONE = {"RAYON_NUM_THREADS": "1", "OMPI_MCA_plm": "isolated"}


def description(folder):
    """The benchmark's network over the files in this folder."""
    with open(os.path.join(HERE, "models", "convnet.toml")) as file:
        model = file.read().replace("epochs = 1", f"epochs = {EPOCHS}")
    data = '\n[data]\nimages = "images"\nlabels = "labels"\n\n[model]'
    with open(os.path.join(folder, "model.toml"), "w") as file:
        file.write(model.replace("\n[model]", data, 1))
    noise = random.Random(1)
    with open(os.path.join(folder, "images"), "wb") as file:
        file.write(struct.pack(">IIII", 0x803, SAMPLES, 28, 28) + noise.randbytes(SAMPLES * 784))
    with open(os.path.join(folder, "labels"), "wb") as file:
        file.write(struct.pack(">II", 0x801, SAMPLES) + bytes(i % 10 for i in range(SAMPLES)))


def run(executable, folder, ranks, device="cpu"):
    """Samples a second after the first epoch, and the losses of all."""
    out = os.path.join(folder, f"run{ranks}-{device}")
    command = ["mpirun", "--allow-run-as-root", "-np", str(ranks), executable, "train", "--quiet", "--device", device]
    command += ["--model", os.path.join(folder, "model.toml"), "--run", out]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **ALONE})
    with open(os.path.join(out, "metrics.jsonl")) as file:
        lines = [json.loads(line) for line in file]
    records = [line["record"] for line in lines if line["event"] == "epoch"]
    return statistics.median(r["samples_per_second"] for r in records[1:]), [r["train_loss"] for r in records]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--executable", default=os.path.join(ROOT, "target", "release", "emberlite"))
    parser.add_argument("--record", help="a file for the table")
    options = parser.parse_args()
    cases, off, loads = [(1, "cpu"), (2, "cpu"), (1, "cpu,cpu")], 0.0, [os.getloadavg()[0]]
    speeds = [[] for _ in cases]
    with tempfile.TemporaryDirectory() as folder:
        description(folder)
        for _ in range(options.rounds):
            results = [run(options.executable, folder, *case) for case in cases]
            for (speed, losses), all_speeds in zip(results, speeds):
                all_speeds.append(speed)
                off = max(off, *(abs(a - b) for a, b in zip(results[0][1], losses)))
            if not off <= BOUND:
                sys.exit(f"the losses differ by {off:.1e}, more than {BOUND}")
            loads.append(os.getloadavg()[0])
    version = subprocess.run(["mpirun", "--version"], stdout=subprocess.PIPE, text=True).stdout.splitlines()[0]
    text = [
        f"- {time.strftime('%Y-%m-%d')}, commit {commit()}, {processor()}, {os.cpu_count()} processors, "
        f"load {min(loads):.1f} to {max(loads):.1f}, {version}, {options.rounds} rounds",
        f"- `python benches/host/processes.py --rounds {options.rounds}`",
        "- the ConvNet of `benches/host/models`, batches of 100, one thread a rank; a loss differs from that of one rank by "
        f"{off:.0e} at most",
        "",
        "| | samples a second: least / median / most | against one: least / median / most |",
        "|---|---|---|",
    ]
    names = ["one process", "two processes", "two devices of one process"]
    for name, found in zip(names, speeds):
        ratios = [two / one for one, two in zip(speeds[0], found)]
        text.append(f"| {name} | {three(figures(found))} | {three(figures(ratios))} |")
    publish(text, options.record)


if __name__ == "__main__":
    main()
