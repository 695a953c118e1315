"""The device catalogue: published figures with their sources, and lookup by name.

The figures are data: `devices.json`. Peaks are dense, and products of 16 and 8 bits accumulate in
32; a sparse figure never enters. `null` stands for what nobody publishes. For power and
interconnect the reader puts a stated assumption in its place, and `Device.assumed` names it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

Kind = Literal["cpu", "apple", "consumer", "workstation", "datacenter", "edge"]
Precision = Literal["fp32", "tf32", "bf16", "fp16", "fp8", "int8"]

ETHERNET = 1.25e9
"""Bytes per second, one direction, where no interconnect is published: 10 Gb Ethernet."""


@dataclass(frozen=True)
class Device:
    """One catalogued device.

    Attributes:
        id: its name in specifications (`training.compute.hardware`), unique.
        name: what documents print.
        kind: cpu, apple, consumer, workstation, datacenter or edge.
        bandwidth: memory bandwidth in bytes per second.
        peaks: dense peaks by precision, in FLOP/s (int8 in OP/s). Only what is published: `bf16`
            stands for fp16 too, which no device with both computes at another rate.
        memory: bytes of device memory, the published gigabytes taken as decimal.
        power: board power in watts.
        link: bytes per second that the device sends to the others of its node, one direction.
            A bridge that joins only pairs does not count: a larger group meets at PCIe.
        source: where the figures were published, and how a derived one follows.
        word: the word of `constraints.device` that stands for it, if one does.
        aliases: further names it answers to.
        assumed: which of `power` and `link` are assumptions in place of a published figure.
    """

    id: str
    name: str
    kind: Kind
    bandwidth: float
    peaks: Mapping[str, float] = field(hash=False)
    memory: float
    power: float
    link: float
    source: str
    word: str | None = None
    aliases: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()

    @property
    def peak(self) -> float:
        """Dense bf16 (or fp16) peak in FLOP/s, or fp32's where 16 bits compute no faster.

        Integer weights compute at this rate too: weight-only quantisation dequantises before the
        product.
        """
        return self.rate("bf16")

    @property
    def ridge(self) -> float:
        """FLOP per byte where memory and arithmetic take equally long (Williams et al., 2009)."""
        return self.peak / self.bandwidth

    def rate(self, precision: Precision) -> float:
        """Dense peak of products in `precision`, in FLOP/s.

        A precision without a published peak computes as the narrowest wider one that has one.

        Raises:
            ValueError: no such precision, or neither it nor a wider one has a published peak.
        """
        if precision not in _WIDER:
            raise ValueError(f'"{precision}" is not a precision: {", ".join(_WIDER)}')
        for candidate in (precision, *_WIDER[precision]):
            if candidate in self.peaks:
                return self.peaks[candidate]
        raise ValueError(f"{self.name} has no published {precision} peak")


#: By what a precision is computed where it has no peak of its own, in order of preference.
_WIDER: Mapping[str, tuple[str, ...]] = {
    "fp32": (),
    "tf32": ("fp32",),
    "bf16": ("fp16", "fp32"),
    "fp16": ("bf16", "fp32"),
    "fp8": ("bf16", "fp16", "fp32"),
    "int8": ("bf16", "fp16", "fp32"),
}


#: Words of a name that tell no two devices apart: vendors, brands, memory types, and the module
#: form, which is what the bare name means.
_NOISE = re.compile(
    r"NVIDIA|AMD|INTEL|GOOGLE|AWS|APPLE|TESLA|JETSON|GEFORCE|RADEON|INSTINCT|HBM\w*|SXM\d?(?!\d)"
)
_SERIES = re.compile("^(?:RTX|RX|ARC|AGX)")
_LONGEST = 40


def _read(path: Path) -> dict[str, Device]:
    """The catalogue by id, with assumptions where power or link is not published.

    An unpublished power is that of a device of median efficiency (FLOP per joule) in its kind; an
    unpublished link is Ethernet.
    """
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    devices = [
        Device(**{**row, **_assumptions(row), "aliases": tuple(row.get("aliases", ()))})
        for row in rows
    ]
    return {device.id: device if device.power else _powered(device, devices) for device in devices}


def _assumptions(row: Mapping[str, Any]) -> dict[str, Any]:
    assumed = tuple(key for key in ("power", "link") if row[key] is None)
    return {"assumed": assumed, "power": row["power"] or 0, "link": row["link"] or ETHERNET}


def _powered(device: Device, others: list[Device]) -> Device:
    published = [other for other in others if other.kind == device.kind and other.power]
    efficiencies = sorted(other.peak / other.power for other in published)
    return replace(device, power=round(device.peak / efficiencies[len(efficiencies) // 2]))


#: Every catalogued device by id.
ACCELERATORS: Mapping[str, Device] = _read(Path(__file__).with_name("devices.json"))


def accelerator(name: str) -> Device | None:
    """The catalogued device that a hardware name means, or None.

    Case, separators, vendor and brand are free, memory may follow, a word of `constraints.device`
    will do, and so will what drivers report: `H100`, `RTX 4090`, `a100-80gb`, `edge`,
    `NVIDIA A100-SXM4-40GB`. The bare name means the module (SXM) and the larger memory; a PCIe
    form that is not catalogued by itself means the device that is.
    """
    wanted = _folded(name)
    spellings = _spellings()
    found = spellings.get(wanted) or spellings.get(wanted.replace("PCIE", ""))
    return ACCELERATORS[found] if found else None


def nearest(name: str, most: int = 1) -> list[str]:
    """The ids of catalogued devices whose names are nearest to `name`, best first; often none."""
    wanted = _folded(name)
    if len(wanted) > _LONGEST:
        return []
    spellings = _spellings()
    close = get_close_matches(wanted, spellings, n=3 * most, cutoff=0.7)
    return list(dict.fromkeys(spellings[spelling] for spelling in close))[:most]


def device(name: str) -> Device:
    """The catalogued device that a hardware name means.

    Raises:
        ValueError: no catalogued device answers to `name`; the message names the nearest.
    """
    found = accelerator(name)
    if found is None:
        close = " or ".join(f'"{near}"' for near in nearest(name, 3))
        hint = f"; did you mean {close}?" if close else ""
        raise ValueError(f'"{name[:_LONGEST]}" is not a catalogued device{hint}')
    return found


def _spellings() -> dict[str, str]:
    """What the devices answer to, folded, with their ids; of two that claim a word, the first."""
    found: dict[str, str] = {}
    for each in ACCELERATORS.values():
        names = [_folded(name) for name in (each.id, each.name, each.word or "", *each.aliases)]
        for name in filter(None, (*names, *(_SERIES.sub("", name) for name in names))):
            found.setdefault(name, each.id)
            found.setdefault(f"{name}{each.memory / 1e9:g}GB", each.id)
    return found


def _folded(name: str) -> str:
    return "".join(c for c in _NOISE.sub("", name.upper()) if c.isalnum())
