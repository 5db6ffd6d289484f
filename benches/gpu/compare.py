#!/usr/bin/env python3
"""Training steps on a GPU: Emberlite against PyTorch, eager and compiled, turn by turn in one run.

    python benches/gpu/compare.py                                   # ResNet-18 and the 29 M transformer, --device cuda
    python benches/gpu/compare.py --device vulkan --record benches/record/gpu.md
    python benches/gpu/compare.py --precision bf16                  # against torch.autocast

Needs an NVIDIA GPU, torch with CUDA, safetensors, a Rust toolchain, and `nvidia-smi` for memory. Models are the recipes'
`model.toml`, read by both halves: the same weights, batch and optimizer, in f32 with TF32 as stated in the table (Emberlite's
kernels decide for themselves; `--tf32` lets PyTorch use it), or with products in bf16 and f32 weights (`--precision bf16`: ours
against `torch.autocast`). The schedule and clipping are left out on both sides. Losses
of the first steps must agree before anything counts (see BOUND).

Throughput is samples a second of the median step; each half reads its loss every step, so that a step is over when its
time is taken. Peak memory is what the driver counts for the process (`nvidia-smi`, every 50 ms), which holds the caches of both
allocators; PyTorch's own figure (`max_memory_allocated`) stands beside it.

**Not yet run**: no GPU was at hand. `--smoke` runs every line but the memory's on a CPU, with tiny batches.
"""

import argparse, json, os, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "host")]

from compare_common import commit, executable, figures, largest_difference, ours, publish, three  # noqa: E402

RECIPES = {"resnet18": 128, "transformer": 32}
# Steps compared, and by how much losses may differ: f32 sums of up to 4608 terms in other orders; ten times that with TF32,
# whose products have 10 bits. bf16 has 7, so eight times that again, less what a mean over a batch evens out.
AGREE, BOUND, BOUND_TF32, BOUND_BF16 = 3, 1e-3, 1e-2, 5e-2
WARM = 5


class Memory:
    """The most that the driver counted for a process, MiB."""

    def __init__(self, pid):
        self.pid, self.most, self.done = str(pid), 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        query = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
        while not self.done.wait(0.05):
            try:
                out = subprocess.run(query, stdout=subprocess.PIPE, text=True, check=True).stdout
            except (OSError, subprocess.CalledProcessError):
                return
            for line in out.splitlines():
                pid, used = (part.strip() for part in line.split(","))
                if pid == self.pid and used.isdigit():
                    self.most = max(self.most, int(used))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def theirs(torch, network, run, x, labels, steps, half):
    """Steps by `run`, the network itself or compiled; `half`: with autocast to bf16."""
    optimizer, losses, ms = network.optimizer(), [], []
    for _ in range(steps):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            y = run(x)
        # What is left of the step is f32 in both.
        loss = torch.nn.functional.cross_entropy(y.float().reshape(-1, y.shape[-1]), labels.flatten())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        ms.append((time.perf_counter() - start) * 1e3)
    return {"losses": losses, "ms": ms}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cuda", "vulkan", "wgpu", "cpu"], help="Emberlite's")
    parser.add_argument("--models", default="resnet18,transformer")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, help="instead of the recipe's")
    parser.add_argument("--precision", default="f32", choices=["f32", "bf16"], help="bf16: products, in both halves")
    parser.add_argument("--tf32", action="store_true", help="lets PyTorch use TF32")
    parser.add_argument("--smoke", action="store_true", help="tiny batches on the CPU: does everything run?")
    parser.add_argument("--executable", help="our half, already built with the device's feature")
    parser.add_argument("--record", help="a file for the table")
    options = parser.parse_args()

    import torch
    from models import Network
    from safetensors.torch import save_file

    if options.smoke:
        options.steps, options.rounds, options.batch = 1, 1, options.batch or 2
    torch_device = "cpu" if options.smoke else "cuda"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.tf32
    torch.manual_seed(1)
    binary = options.executable or executable([] if options.device == "cpu" else [options.device])
    rows = []
    for name in options.models.split(","):
        model = os.path.join(ROOT, "host", "recipes", name, "model.toml")
        network = Network(model).to(torch_device)
        x, labels = network.batch(options.batch or RECIPES[name])
        state = {key: value.clone() for key, value in network.state_dict().items()}
        half = options.precision == "bf16"
        bound = BOUND_BF16 if half else BOUND_TF32 if options.tf32 else BOUND
        with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
            save_file({**network.packed(), "x": x.float().cpu(), "labels": labels.float().cpu()}, file.name)
            x, labels = x.to(torch_device), labels.to(torch_device)
            ways = {"eager": network} if options.smoke else {"eager": network, "compiled": torch.compile(network)}
            times = {"ours": [], **{way: [] for way in ways}}
            reference, memory, allocated = None, {}, {}
            process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for turn in range(options.rounds):
                for way, run in ways.items():
                    network.load_state_dict(state)
                    if torch_device == "cuda":
                        torch.cuda.empty_cache()
                        torch.cuda.reset_peak_memory_stats()
                    with Memory(os.getpid()) as seen:
                        found = theirs(torch, network, run, x, labels, WARM + options.steps, half)
                    times[way].extend(found["ms"][WARM:])
                    memory[way] = max(memory.get(way, 0), seen.most)
                    if torch_device == "cuda":
                        allocated[way] = torch.cuda.max_memory_allocated() >> 20
                    reference = reference or found
                with Memory(process.pid) as seen:
                    found = ours(process, model, file.name, WARM + options.steps, options.device, options.precision)
                times["ours"].extend(found["ms"][WARM:])
                memory["ours"] = max(memory.get("ours", 0), seen.most)
                if turn == 0:
                    first = {"losses": found["losses"][:AGREE]}
                    off = largest_difference(first, {"losses": reference["losses"][:AGREE]})
                    if not off <= bound:
                        sys.exit(f"{name}: the losses of {AGREE} steps differ by {off:.1e}, more than {bound}")
            process.stdin.close()
            process.wait()
        middle = {way: figures(ms)[1] for way, ms in times.items()}
        for way in times:
            rate = len(x) / middle[way] * 1e3
            own = allocated.get(way, "")
            rows.append(
                f"| {name}, batch {len(x)} | {way} | {three(figures(times[way]))} | {rate:.0f} | "
                f"{middle[way] / middle['ours']:.2f} | {memory.get(way, 0)} | {own} | {off:.0e} |"
            )
    gpu = torch.cuda.get_device_name() if torch_device == "cuda" else "no GPU: a smoke test, not a measurement"
    text = [
        f"- {time.strftime('%Y-%m-%d')}, commit {commit()}, {gpu}, Emberlite on {options.device}, torch {torch.__version__}, "
        f"{options.precision}, PyTorch's TF32 {'on' if options.tf32 else 'off'}, {options.rounds} rounds of {options.steps} steps",
        f"- `python benches/gpu/compare.py {' '.join(sys.argv[1:])}`",
        "- ratio: that way's time by ours; above 1 ours is faster",
        "",
        "| model | way | ms a step: least / median / most | samples/s | ratio | MiB by the driver | MiB by torch | losses differ by |",
        "|---|---|---|---|---|---|---|---|",
    ]
    publish(text + rows, options.record)


if __name__ == "__main__":
    main()
