"""`make fuzz`: thousands of damaged, hostile and odd inputs through the real command.

Every case runs `sct_deepspine_label` from its arguments to its files with the shipped network, but
inside of a worker process that has loaded the libraries and the network once: a process of its own
for each would take hours. A worker may grow by a fixed amount of memory and think for a fixed time;
one that dies or does not end counts, and is replaced. Case N of seed S is always the same:
``benchmarks/acceptance/fuzz.py -seed S -only N`` repeats it in the foreground.
"""

import argparse
import multiprocessing
import os
import sys
from collections import Counter
from multiprocessing.connection import wait
from time import monotonic, perf_counter

from benchmarks.acceptance.fuzz_base import load_base
from benchmarks.acceptance.fuzz_cases import KINDS
from benchmarks.acceptance.fuzz_run import OUTCOMES, Verdict, run_case, serve

FAULTS = OUTCOMES[3:]


class Worker:
    """A process that runs one case at a time."""

    def __init__(self, seed: int, memory_mb: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, seed, memory_mb), daemon=True)
        self.process.start()
        theirs.close()
        self.number: int | None = None
        self.deadline_s = 0.0

    def give(self, number: int, limit_s: float) -> None:
        """Hand over the next case."""
        self.number, self.deadline_s = number, monotonic() + limit_s
        self.connection.send(number)

    def end(self) -> None:
        """Kill the process, whatever it does."""
        self.process.kill()
        self.process.join()


def run_all(args: argparse.Namespace) -> list[Verdict]:
    """Run the cases and return what came of each."""
    numbers = iter(range(args.first, args.first + args.n))
    workers = [Worker(args.seed, args.memory) for _ in range(args.workers)]
    verdicts: list[Verdict] = []
    started_s = perf_counter()
    for worker in workers:
        worker.give(next(numbers), 120 + args.limit)  # and start
    while workers:
        ready = wait([worker.connection for worker in workers], timeout=0.5)
        for worker in list(workers):
            verdict = None
            if worker.connection in ready:
                try:
                    verdict = worker.connection.recv()
                except EOFError:
                    verdict = Verdict(worker.number, "?", "crashed", "the process died")
            elif monotonic() > worker.deadline_s:
                verdict = Verdict(worker.number, "?", "hung", f"more than {args.limit} s")
            if verdict is None:
                continue
            verdicts.append(verdict)
            _report(verdict, len(verdicts), args.n, started_s)
            if verdict.outcome in ("crashed", "hung"):
                worker.end()
                workers[workers.index(worker)] = worker = Worker(args.seed, args.memory)
            number = next(numbers, None)
            if number is None:
                worker.end()
                workers.remove(worker)
            else:
                worker.give(number, args.limit + (120 if worker.number is None else 0))
    return verdicts


def _report(verdict: Verdict, done: int, n: int, started_s: float) -> None:
    """Show faults at once, and from time to time how far it is."""
    if verdict.outcome in FAULTS:
        print(f"case {verdict.number}, {verdict.kind}: {verdict.outcome}: {verdict.note.strip()}")
    if done % 500 == 0 or done == n:
        print(f"{done} of {n} after {perf_counter() - started_s:.0f} s", file=sys.stderr, flush=True)


def print_table(verdicts: list[Verdict]) -> None:
    """Print how many cases of each kind came to what, the memory and the time."""
    counts = Counter((verdict.kind, verdict.outcome) for verdict in verdicts)
    kinds = [*KINDS, *sorted({verdict.kind for verdict in verdicts} - set(KINDS))]
    print(f"\n{'inputs':28}" + "".join(f"{outcome:>10}" for outcome in OUTCOMES))
    for kind in [*kinds, None]:
        row = [
            sum(n for (of, came), n in counts.items() if came == outcome and kind in (of, None)) for outcome in OUTCOMES
        ]
        print(f"{kind or f'all {len(verdicts)}':28}" + "".join(f"{n:10d}" for n in row))
    largest = max(verdicts, key=lambda verdict: verdict.grown_mb)
    slowest = max(verdicts, key=lambda verdict: verdict.seconds)
    print(f"peak memory of a case: {largest.grown_mb:.0f} MB above what the loaded command holds "
          f"(case {largest.number}, {largest.kind})")  # fmt: skip
    print(f"slowest case: {slowest.seconds:.1f} s (case {slowest.number}, {slowest.kind})")


def main() -> int:
    """Run the cases; exit status 1 when there is any fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=5000, help="cases (default: 5000)")
    parser.add_argument("-first", type=int, default=0, help="number of the first one (default: 0)")
    parser.add_argument("-seed", type=int, default=0, help="of all cases (default: 0)")
    parser.add_argument("-workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("-limit", type=float, default=30.0, help="seconds per case (default: 30)")
    parser.add_argument("-memory", type=int, default=3000, help="MB that a worker may grow by")
    parser.add_argument("-only", type=int, help="run this case alone, here, and show it")
    args = parser.parse_args()
    if args.only is not None:
        verdict = run_case(args.seed, args.only, load_base(), show=True)
        print(verdict)
        return int(verdict.outcome in FAULTS)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a worker for each core
    verdicts = run_all(args)
    print_table(verdicts)
    return int(any(verdict.outcome in FAULTS for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
