"""Inference devices and training accelerators: published figures (dense peaks), and sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """One reference device.

    Attributes:
        id: the word of `constraints.device`, or a hardware name.
        name: what documents print.
        bandwidth: memory bandwidth in bytes per second.
        peak: dense bf16 (or fp16) peak in FLOP/s; integer weights compute at this rate too, since
            weight-only quantisation dequantises before the product.
        memory: bytes of device memory.
        power: board power in watts.
        source: where the figures were published.
    """

    id: str
    name: str
    bandwidth: float
    peak: float
    memory: float
    power: float
    source: str


def _table(*devices: Device) -> Mapping[str, Device]:
    return {device.id: device for device in devices}


INFERENCE = _table(
    Device(
        "cpu", "16-core server CPU", 204.8e9, 3.0e12, 256e9, 205,
        "8-channel DDR4-3200 (25.6 GB/s a channel); 16 cores × 2.9 GHz × 64 FP32 FLOP per cycle",
    ),
    Device(
        "consumer_gpu", "NVIDIA RTX 4090", 1008e9, 165.2e12, 24e9, 450,
        "NVIDIA Ada GPU Architecture whitepaper v2.02, Table 2 (FP16 with FP32 accumulate, dense)",
    ),
    Device(
        "datacenter_gpu", "NVIDIA H100 SXM", 3350e9, 989.4e12, 80e9, 700,
        "NVIDIA H100 Tensor Core GPU datasheet (dense figures)",
    ),
    Device(
        "edge", "NVIDIA Jetson Orin Nano 8GB", 68e9, 10.0e12, 8e9, 15,
        "NVIDIA Jetson Orin Nano Series datasheet (68 GB/s; 20 dense INT8 TOPS, half at FP16)",
    ),
)  # fmt: skip

ACCELERATORS = _table(
    Device("V100", "NVIDIA V100 SXM2 32GB", 900e9, 125e12, 32e9, 300, "NVIDIA V100 datasheet"),
    Device("P100", "NVIDIA P100 SXM2", 732e9, 21.2e12, 16e9, 300, "NVIDIA P100 datasheet"),
    Device("T4", "NVIDIA T4", 320e9, 65e12, 16e9, 70, "NVIDIA T4 datasheet"),
    Device("A10", "NVIDIA A10", 600e9, 125e12, 24e9, 150, "NVIDIA A10 datasheet"),
    Device("L4", "NVIDIA L4", 300e9, 121e12, 24e9, 72, "NVIDIA L4 datasheet"),
    Device("L40S", "NVIDIA L40S", 864e9, 362e12, 48e9, 350, "NVIDIA L40S datasheet"),
    Device("A6000", "NVIDIA RTX A6000", 768e9, 154.8e12, 48e9, 300, "NVIDIA RTX A6000 datasheet"),
    Device("A800", "NVIDIA A800 SXM 80GB", 2039e9, 312e12, 80e9, 400, "NVIDIA A800 datasheet"),
    Device("A100", "NVIDIA A100 SXM 80GB", 2039e9, 312e12, 80e9, 400, "NVIDIA A100 datasheet"),
    Device("H20", "NVIDIA H20", 4000e9, 148e12, 96e9, 400, "NVIDIA H20 datasheet"),
    Device("H800", "NVIDIA H800 SXM", 3350e9, 989.4e12, 80e9, 700, "NVIDIA H800 datasheet"),
    Device("H100", "NVIDIA H100 SXM", 3350e9, 989.4e12, 80e9, 700, "NVIDIA H100 datasheet"),
    Device("H200", "NVIDIA H200 SXM", 4800e9, 989.4e12, 141e9, 700, "NVIDIA H200 datasheet"),
    Device("GH200", "NVIDIA GH200 96GB", 4000e9, 989.4e12, 96e9, 1000, "NVIDIA GH200 datasheet"),
    Device("B200", "NVIDIA B200", 8000e9, 2250e12, 180e9, 1000, "NVIDIA DGX B200 datasheet"),
    Device("GB200", "NVIDIA GB200, one GPU", 8000e9, 2500e12, 186e9, 1200, "GB200 NVL72 datasheet"),
    Device("RTX3090", "NVIDIA RTX 3090", 936e9, 71e12, 24e9, 350, "NVIDIA Ampere GA102 whitepaper"),
    Device("RTX4080", "NVIDIA RTX 4080", 716.8e9, 97.5e12, 16e9, 320, "NVIDIA Ada whitepaper"),
    Device("RTX4090", "NVIDIA RTX 4090", 1008e9, 165.2e12, 24e9, 450, "NVIDIA Ada whitepaper"),
    Device("RTX5090", "NVIDIA RTX 5090", 1792e9, 209.5e12, 32e9, 575, "RTX Blackwell whitepaper"),
    Device("MI250X", "AMD Instinct MI250X", 3277e9, 383e12, 128e9, 560, "AMD MI250X data sheet"),
    Device("MI300X", "AMD Instinct MI300X", 5300e9, 1307e12, 192e9, 750, "AMD MI300X data sheet"),
    Device("MI325X", "AMD Instinct MI325X", 6000e9, 1307e12, 256e9, 1000, "AMD MI325X data sheet"),
    Device("Gaudi2", "Intel Gaudi 2", 2450e9, 432e12, 96e9, 600, "Intel Gaudi 2 whitepaper"),
    Device("Gaudi3", "Intel Gaudi 3", 3700e9, 1835e12, 128e9, 900, "Intel Gaudi 3 whitepaper"),
    Device("TPUv4", "Google TPU v4", 1228e9, 275e12, 32e9, 192, "Jouppi et al. (2023), Table 4"),
    Device("TPUv5e", "Google TPU v5e", 819e9, 197e12, 16e9, 200, "Google Cloud, power assumed"),
    Device("TPUv5p", "Google TPU v5p", 2765e9, 459e12, 95e9, 450, "Google Cloud, power assumed"),
    Device("TPUv6e", "Google TPU v6e", 1640e9, 918e12, 32e9, 300, "Google Cloud, power assumed"),
    Device("CPU", "16-core server CPU", 204.8e9, 3e12, 256e9, 205, "8-channel DDR4-3200"),
)  # fmt: skip


def accelerator(name: str) -> Device | None:
    """The catalogued accelerator that a hardware name means: `H100`, `RTX 4090`, `a100-80gb`."""
    wanted = "".join(c for c in name.upper() if c.isalnum())
    for suffix in ("SXM5", "SXM4", "SXM", "PCIE", "NVL", "80GB", "40GB", "32GB", "24GB"):
        wanted = wanted.removesuffix(suffix)
    wanted = wanted.removeprefix("NVIDIA").removeprefix("AMD").removeprefix("GEFORCE")
    names = {key.upper(): device for key, device in ACCELERATORS.items()}
    return names.get(wanted) or names.get(f"RTX{wanted}")
