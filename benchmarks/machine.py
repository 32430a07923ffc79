"""Where and how figures came about: the machine, its load, and the processor time and memory of process trees."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil


def described() -> list[str]:
    """Return lines that say when and on what a run was made."""
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load average {os.getloadavg()[0]:.2f} before the run",
        f"{_processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.release()}",
        f"CPython {platform.python_version()}, Node {_first_line('node', '--version') or 'none'}",
    ]
    commit = _first_line("git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD")
    changed = _first_line("git", "-C", str(Path(__file__).parent), "status", "--porcelain", "--untracked-files=no")
    return [*lines, f"commit {commit}{' with changes' if changed else ''}"] if commit else lines


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.partition("\n")[0].strip() if done.returncode == 0 else ""


class Others:
    """How much of the machine somebody else uses, from now on: other processes, or what the machine runs on.

    Args:
        ours: the processes that are not somebody else.
    """

    def __init__(self, ours: Tree) -> None:
        self._ours = ours
        self._began = self._now()

    def share(self) -> float:
        """Return their share of all cores until now, from 0 to 1."""
        busy, whole = (now - before for now, before in zip(self._now(), self._began, strict=True))
        return max(0.0, busy / whole)

    def _now(self) -> tuple[float, float]:
        times = psutil.cpu_times()
        whole = times.user + times.nice + times.system + times.idle + times.iowait
        whole += times.irq + times.softirq + times.steal
        return whole - times.idle - times.iowait - self._ours.cpu_seconds(), whole


@dataclass(frozen=True)
class Tree:
    """A process with all below it.

    Args:
        pid: the process at the top.
    """

    pid: int

    def cpu_seconds(self) -> float:
        """Return what they have used until now, user and system, of ended ones too."""
        total = 0.0
        for process in self._processes():
            try:
                total += sum(process.cpu_times()[:4])  # its own, and that of children it has waited for
            except psutil.NoSuchProcess:
                continue
        return total

    def resident_bytes(self) -> int:
        """Return the memory they hold."""
        total = 0
        for process in self._processes():
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total

    def _processes(self) -> list[psutil.Process]:
        top = psutil.Process(self.pid)
        return [top, *top.children(recursive=True)]
