"""Measures time and memory of this process."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable


def peak_rss_bytes() -> int:
    """Peak resident memory in bytes (Linux reports KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def current_rss_bytes() -> int:
    """Current resident memory in bytes (Linux). Directly after the imports, it is that of the libraries."""
    with open('/proc/self/statm') as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def time_runs(run: Callable[[], object], repeat: int, warm_up: int = 1) -> list[float]:
    """Milliseconds of each of `repeat` runs after `warm_up` unmeasured ones."""
    for _ in range(warm_up):
        run()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1000)
    return times


def time_with_cpu(run: Callable[[], object], repeat: int) -> dict:
    """As `summary(time_runs(…))`, and the mean processor time of a run of all threads, warm-up included."""
    started = time.process_time()
    times = time_runs(run, repeat)
    return {**summary(times), 'cpuMs': round((time.process_time() - started) * 1000 / (repeat + 1), 2)}


def summary(times: list[float]) -> dict:
    """Minimum and median. The minimum is least affected by other processes; the median shows how busy the machine was."""
    return {
        'medianMs': round(statistics.median(times), 2),
        'minMs': round(min(times), 2),
        'allMs': [round(t, 2) for t in times],
    }


class Phases:
    """Times the phases of a step: `phase('forward')` ends the current phase and starts the named one."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []
        self.cpu_ms: list[float] = []
        self._name: str | None = None

    def start_step(self) -> None:
        self.steps.append({})
        self._cpu_since = time.process_time()

    def phase(self, name: str | None) -> None:
        now = time.perf_counter()
        if self._name is not None:
            self.steps[-1][self._name] = (now - self._since) * 1000
        self._name, self._since = name, now
        if name is None:
            self.cpu_ms.append((time.process_time() - self._cpu_since) * 1000)

    def summary(self, warm_up: int) -> dict:
        steps = self.steps[warm_up:]
        medians = {name: round(statistics.median(s[name] for s in steps), 2) for name in steps[0]}
        fastest = {name: round(ms, 2) for name, ms in min(steps, key=lambda s: sum(s.values())).items()}
        return {
            **summary([sum(s.values()) for s in steps]),
            'allCpuMs': [round(t, 2) for t in self.cpu_ms[warm_up:]],
            'phasesMs': medians,
            'phasesOfFastestMs': fastest,
        }
