"""The devices of a plan: what each word of `constraints.device` stands for, and the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from ..hardware.catalogue import ACCELERATORS, Device, accelerator

__all__ = ["ACCELERATORS", "INFERENCE", "Device", "accelerator"]

#: The reference device of each word of `constraints.device`.
INFERENCE: Mapping[str, Device] = {
    device.word: device for device in ACCELERATORS.values() if device.word
}
