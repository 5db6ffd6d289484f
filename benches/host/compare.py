#!/usr/bin/env python3
"""Training steps on a CPU: Emberlite against PyTorch, same weights, same batch, same threads, turn by turn.

    python benches/host/compare.py                      # prints a table
    python benches/host/compare.py --record FILE.md     # writes it too
    python benches/host/compare.py --threads 1 --clock processor    # where others use the machine too

Needs torch, numpy and safetensors. Rounds alternate between the two, so that whatever else the machine does hits both; a
round's first steps are left out. Before anything is timed the losses of both must agree (see BOUND): a fast wrong answer
is no answer. PyTorch runs eagerly, in f32, with glibc's allocator told to keep memory as ours does; without that it
is slower. With `--clock processor` a step is what the processor spent on it, all threads together, the mean of a round
(Linux alone): it doesn't count waiting for a turn, but still what others take of caches. The models are `models/*.toml`, read
by both (`../models.py` is PyTorch's half).
"""

import argparse, os, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from compare_common import commit, executable, figures, largest_difference, ours, processor, processor_ms, publish, three  # noqa: E402

KEEP = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_TOP_PAD_": str(64 << 20)}
WARM = 3
# Steps whose losses are compared. Both sum the same products in f32 in different orders; a loss of a few units carries a few
# roundings of 2^-24, the weights' differences grow with each step. 1e-4 of the loss is far above what was seen and far
# below what a wrong formula gives.
AGREE, BOUND = 10, 1e-4
STEPS = {"convnet": 20, "mlp": 300, "transformer": 6}


def theirs(state, network, x, labels, steps):
    network.load_state_dict(state)
    optimizer = network.optimizer()
    losses, ms = [], []
    for _ in range(steps):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = network.loss(x, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        ms.append((time.perf_counter() - start) * 1e3)
    return {"losses": losses, "ms": ms}


def each_step(run, clock, steps):
    """Milliseconds of so many steps, the first ones left out; of the processor's time their mean, since starting costs too."""
    if clock is None:
        return run(steps + WARM)["ms"][WARM:]
    marks = [clock()]
    for count in (WARM, steps + WARM):
        run(count)
        marks.append(clock())
    return [(marks[2] - 2 * marks[1] + marks[0]) / steps]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--clock", choices=["wall", "processor"], default="wall")
    parser.add_argument("--models", default="convnet,mlp,transformer")
    parser.add_argument("--executable", help="our half, already built")
    parser.add_argument("--record", help="a file for the table")
    options = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in KEEP.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **KEEP})

    import torch
    from models import Network
    from safetensors.torch import save_file

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    environment = {**os.environ, "RAYON_NUM_THREADS": str(options.threads)}
    binary = options.executable or executable()
    process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    rows, loads = [], [os.getloadavg()[0]]
    for name in options.models.split(","):
        model, steps = os.path.join(HERE, "models", f"{name}.toml"), STEPS[name]
        network = Network(model)
        x, labels = network.batch(network.description["training"]["batch"])
        state = {key: value.clone() for key, value in network.state_dict().items()}
        with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
            save_file({**network.packed(), "x": x.float(), "labels": labels.float()}, file.name)
            off = largest_difference(ours(process, model, file.name, AGREE), theirs(state, network, x, labels, AGREE))
            if not off <= BOUND:
                sys.exit(f"{name}: the losses of {AGREE} steps differ by {off:.1e}, more than {BOUND}")
            both, ratios = ([], []), []
            for _ in range(options.rounds):
                clocks = [None, None]
                if options.clock == "processor":
                    clocks = [lambda: processor_ms(process.pid), lambda: time.process_time() * 1e3]
                a = each_step(lambda count: ours(process, model, file.name, count), clocks[0], steps)
                b = each_step(lambda count: theirs(state, network, x, labels, count), clocks[1], steps)
                both[0].extend(a)
                both[1].extend(b)
                ratios.append(statistics.median(b) / statistics.median(a))
            loads.append(os.getloadavg()[0])
            rows.append((name, figures(both[0]), figures(both[1]), figures(ratios), off))
    process.stdin.close()
    process.wait()

    text = [
        f"- {time.strftime('%Y-%m-%d')}, commit {commit()}, {processor()}, {options.threads} threads of {os.cpu_count()}, "
        f"load {min(loads):.1f} to {max(loads):.1f}, torch {torch.__version__}, f32, {options.rounds} rounds",
        f"- `python benches/host/compare.py --models {options.models} --rounds {options.rounds} --threads {options.threads} "
        f"--clock {options.clock}`",
        "- ratio: PyTorch's time by ours, of the medians of each round; above 1 ours is faster",
        "",
        f"| model | ours, ms a step ({options.clock}): least / median / most | PyTorch | ratio: least / median / most "
        "| losses differ by |",
        "|---|---|---|---|---|",
    ]
    text += [f"| {name} | {three(a)} | {three(b)} | {three(ratio)} | {off:.0e} |" for name, a, b, ratio, off in rows]
    publish(text, options.record)


if __name__ == "__main__":
    main()
