"""What the comparisons share: driving our half, and figures."""

import json, os, platform, statistics, subprocess, sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def ours(process, model, path, steps, device="cpu", precision="f32"):
    process.stdin.write(f"{model} {path} {steps} {device} {precision}\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        sys.exit("our half ended; see its message above")
    return json.loads(answer)


def executable(features=()):
    build = ["cargo", "bench", "-p", "emberlite-host", "--bench", "speed", "--no-run", "--message-format=json"]
    build += ["--features", ",".join(features)] if features else []
    lines = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    found = [m["executable"] for m in map(json.loads, lines) if m.get("target", {}).get("name") == "speed" and m.get("executable")]
    return found[-1]


def processor():
    with open("/proc/cpuinfo") as info:
        return next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.processor())


def processor_ms(pid):
    """What the processor has spent on all threads of a process, in its ticks of mostly 10 ms."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1e3


def commit():
    describe = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(describe, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout.strip()


def largest_difference(a, b):
    return max(abs(p - q) / max(abs(q), 1.0) for p, q in zip(a["losses"], b["losses"]))


def figures(values):
    return min(values), statistics.median(values), max(values)


def three(values):
    return " / ".join(f"{value:.2f}" for value in values)


def publish(lines, record):
    """Prints a table, and writes it to the file `record` if there is one."""
    text = "\n".join(lines) + "\n"
    print(text)
    if record:
        with open(record, "w") as file:
            file.write(text)
