"""The device catalogue: figures that can be true, names that find their device, clear refusals."""

import ast
import json
import re
import time
from pathlib import Path
from statistics import median_high

import pytest

from metagen.hardware import catalogue
from metagen.hardware.catalogue import ACCELERATORS, ETHERNET, accelerator, device, nearest
from metagen.specs.errors import FieldError
from metagen.specs.quantities import parse_quantity
from metagen.specs.vocabulary import DEVICE
from metagen.synth import engine
from metagen.synth.devices import INFERENCE

DATA = Path(catalogue.__file__).with_name("devices.json")
ROWS = json.loads(DATA.read_text(encoding="utf-8"))
ALL = pytest.mark.parametrize("found", ACCELERATORS.values(), ids=list(ACCELERATORS))
#: FLOP per byte at the ridge: what a 16-bit peak and a memory of each kind have had so far.
RIDGES = {
    "cpu": (5, 50),
    "apple": (20, 60),
    "consumer": (50, 300),
    "workstation": (100, 500),
    "datacenter": (20, 600),
    "edge": (10, 300),
}


def test_the_data_has_no_id_twice():
    assert len(ROWS) == len(ACCELERATORS) > 70
    assert {row["kind"] for row in ROWS} == set(RIDGES)


@ALL
def test_figures_can_be_true(found):
    figures = (found.bandwidth, found.memory, found.power, found.link, *found.peaks.values())
    assert all(figure > 0 for figure in figures)
    order = [found.peaks[key] for key in ("fp32", "tf32", "bf16", "fp8") if key in found.peaks]
    assert order == sorted(order)
    assert found.rate("int8") >= found.peak >= found.peaks.get("fp32", 0)
    assert not {"bf16", "fp16"} <= found.peaks.keys(), "bf16 stands for both"
    least, most = RIDGES[found.kind]
    assert least < found.ridge < most
    assert 1e9 < found.link < found.bandwidth or found.kind in ("cpu", "edge")


@ALL
def test_every_source_names_a_year_and_no_figure_is_sparse(found):
    assert re.search(r"\b20[012]\d\b", found.source)
    if "sparse" in found.source:
        assert re.search(r"dense|rates per", found.source)


@pytest.mark.parametrize("name", [row["id"] for row in ROWS if row["id"].startswith("RTX")])
def test_tensor_cores_accumulate_in_fp32(name):
    """GeForce cores do so at half their rate with FP16 accumulation, professional ones do not."""
    card = ACCELERATORS[name]
    factor = 2 if card.kind == "consumer" else 4
    assert card.peaks["bf16"] == pytest.approx(factor * card.peaks["fp32"], rel=0.02)
    assert card.peaks.get("fp8", 2 * card.peak) == pytest.approx(2 * card.peak, rel=0.01)


def test_variants_differ_where_their_data_sheets_do():
    sxm, pcie, nvl = (ACCELERATORS[name] for name in ("H100", "H100-PCIe", "H100-NVL"))
    assert pcie.bandwidth < sxm.bandwidth < nvl.bandwidth
    assert pcie.peak < nvl.peak < sxm.peak
    assert ACCELERATORS["A100-40GB"].bandwidth < ACCELERATORS["A100"].bandwidth
    assert ACCELERATORS["A800"].link < ACCELERATORS["A100"].link
    assert ACCELERATORS["OrinNano"].peaks["int8"] == 20e12  # of 40 sparse TOPS


def test_the_words_of_a_specification_stand_for_what_they_say():
    assert set(INFERENCE) == set(DEVICE.words)
    named = {word: found.name for word, found in INFERENCE.items()}
    assert named == {
        "cpu": "16-core server CPU",
        "consumer_gpu": "NVIDIA RTX 4090",
        "datacenter_gpu": "NVIDIA H100 SXM",
        "edge": "NVIDIA Jetson Orin Nano 8GB",
    }
    assert all(accelerator(word) is found for word, found in INFERENCE.items())


def test_every_name_finds_its_own_device():
    for row in ROWS:
        for name in (row["id"], row["name"], *row.get("aliases", ())):
            assert accelerator(name).id == row["id"], name
            if "GB" not in name:
                assert accelerator(f"{name.lower()} {row['memory'] / 1e9:g}GB").id == row["id"], (
                    name
                )
        assert parse_quantity(f"3x{row['id']}", "hardware").text == f"3x{row['id']}"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("A100", "A100"), ("A100 40GB", "A100-40GB"), ("a100-80gb", "A100"),
        ("A100 PCIe", "A100-PCIe"), ("NVIDIA A100-SXM4-40GB", "A100-40GB"),
        ("NVIDIA A100-PCIE-40GB", "A100-PCIe-40GB"), ("NVIDIA A100 80GB PCIe", "A100-PCIe"),
        ("H100 SXM5", "H100"), ("H100 PCIe", "H100-PCIe"), ("NVIDIA H100 80GB HBM3", "H100"),
        ("h100 nvl", "H100-NVL"), ("Tesla V100-SXM2-16GB", "V100-16GB"), ("L4 PCIe", "L4"),
        ("NVIDIA GeForce RTX 4060 Ti", "RTX4060Ti"), ("4090", "RTX4090"), ("7900 xtx", "RX7900XTX"),
        ("RTX A6000", "A6000"), ("RTX 6000 Ada Generation", "RTX6000Ada"), ("M4 Max", "M4Max"),
        ("Apple M1", "M1"), ("jetson orin nano", "OrinNano"), ("Jetson AGX Orin", "AGXOrin"),
        ("MI300X 192GB", "MI300X"), ("TPU v5e", "TPUv5e"), ("raspberry pi 5", "RaspberryPi5"),
        ("Abacus", None), ("RTX 3060 Ti", None), ("RTX 6000", None), ("H100 40GB", None),
        ("", None),
    ],
)  # fmt: skip
def test_names_that_people_and_drivers_use(written, found):
    named = accelerator(written)
    assert (named.id if named else None) == found


def test_a_refusal_names_what_is_near():
    assert nearest("RTX 4099") == ["RTX4090"]
    assert nearest("Abacus") == nearest("H100 " * 99) == []
    with pytest.raises(ValueError, match='"H10O" is not a catalogued device; did you mean "H100"'):
        device("H10O")
    with pytest.raises(ValueError, match='"Abacus" is not a catalogued device$'):
        device("Abacus")
    with pytest.raises(FieldError, match='"8xH10O" is not hardware') as refused:
        parse_quantity("8xH10O", "hardware")
    assert refused.value.suggestion == "8xH100"


def test_rates_by_precision():
    card, board = ACCELERATORS["RTX4090"], ACCELERATORS["JetsonNano"]
    assert card.rate("fp16") == card.rate("bf16") == card.peak == 165.2e12
    assert (card.rate("int8"), card.rate("fp32")) == (660.6e12, 82.6e12)
    assert board.rate("int8") == board.rate("bf16") == board.peaks["fp16"]
    assert ACCELERATORS["M1"].peak == ACCELERATORS["M1"].rate("tf32") == 2.61e12
    with pytest.raises(ValueError, match="Google TPU v4 has no published fp32 peak"):
        ACCELERATORS["TPUv4"].rate("fp32")
    with pytest.raises(ValueError, match='"int4" is not a precision'):
        card.rate("int4")


def test_what_is_assumed_is_said_to_be(text_spec):
    for row in ROWS:
        unpublished = tuple(key for key in ("power", "link") if row[key] is None)
        assert ACCELERATORS[row["id"]].assumed == unpublished
    assert ACCELERATORS["CPU"].link == ETHERNET
    found = list(ACCELERATORS.values())
    powerless = [d for d in found if "power" in d.assumed]
    assert "TPUv5e" in {d.id for d in powerless}
    for one in powerless:
        alike = [d for d in found if d.kind == one.kind and "power" not in d.assumed]
        efficiency = median_high(d.peak / d.power for d in alike)
        assert one.power == pytest.approx(one.peak / efficiency, abs=0.5), one.id
    for hardware, said in (("8xTPUv5e", "assumed power of"), ("8xH100", "board power of 700 W")):
        spec = text_spec(training={"compute": {"hardware": hardware}})
        assert engine.plan(spec).figures["train_energy_kwh"].method.startswith(said)


def test_the_catalogue_imports_nothing_that_builds_on_it():
    tree = ast.parse(Path(catalogue.__file__).read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]


def test_reading_it_takes_no_time():
    took = []
    for _ in range(20):
        start = time.perf_counter()
        catalogue._read(DATA)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.005
