"""Time and memory as `bench` measures them, and what the blueprint predicts."""

import json
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch


def median_seconds(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    """The median time of `repeats` calls, after two to warm up."""
    times = []
    for _ in range(2 + repeats):
        begin = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - begin)
    return sorted(times[2:])[repeats // 2]


def start_peak(device: torch.device) -> None:
    """Forget the peak so far; only GPUs can."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: torch.device) -> int:
    """Most GPU memory since `start_peak`; without a GPU, most memory of the process ever."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def device_name(device: torch.device) -> str:
    """What the measurements ran on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    plural = "s" * (threads != 1)
    return f"{platform.machine()} {device.type.upper()}, {threads} thread{plural}"


def read_predictions() -> tuple[dict[str, float], str]:
    """The blueprint's figures in base units, by key, and the devices that they are for."""
    figures = json.loads(Path("blueprint/ledger.json").read_text(encoding="utf-8"))["figures"]
    answers, learns = (figures[key]["text"] for key in ("device_name", "hardware"))
    values = {key: figure["value"] for key, figure in figures.items()}
    return values, f"{answers} (inference) and one device of {learns} (training)"
