"""Several processes train the model that one process trains."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml

torch = pytest.importorskip("torch")
load_file = pytest.importorskip("safetensors.torch").load_file

from metagen.specs.loader import parse  # noqa: E402
from metagen.synth.engine import plan  # noqa: E402

pytestmark = pytest.mark.full

SPEC = """
metagen_version: "1.0"
name: probe
modality: {inputs: [text], outputs: [text]}
architecture: {dims: {d_model: 64, n_layers: 2, n_heads: 4, n_kv_heads: 2, vocab_size: 320}}
"""
SETTINGS = (
    "--preset tiny --device cpu --steps 4 --warmup-steps 1 --micro-batch 4 "
    "--checkpoint-interval 2 --eval-sequences 8"
).split()


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A folder with the generated package `probe` in it."""
    folder = tmp_path_factory.mktemp("probe")
    (folder / "probe").mkdir()
    for file in plan(parse(yaml.safe_load(SPEC))).code:
        (folder / "probe" / file.name).write_text(file.text, encoding="utf-8")
    return folder


def trained(folder, run_dir, *flags, processes=1):
    """The weights after a run of `train`, started as its docstring says."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [*(launcher if processes > 1 else []), "-m", "probe.train", "--run-dir", run_dir]
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, *command, *SETTINGS, *flags], cwd=folder, env=environment, check=True
    )
    return load_file(folder / run_dir / "step-00000004" / "model.safetensors")


@pytest.fixture(scope="module")
def alone(package):
    """The weights that one process reaches."""
    return trained(package, "runs/alone")


@pytest.mark.parametrize(
    "flags",
    [[], ["--parallel", "fsdp"], ["--parallel", "fsdp", "--activation-checkpointing"]],
    ids=" ".join,
)
def test_two_processes_reach_the_same_weights(package, alone, flags):
    weights = trained(package, f"runs/two{len(flags)}", *flags, processes=2)
    assert weights.keys() == alone.keys()
    for name, weight in weights.items():
        torch.testing.assert_close(weight, alone[name], atol=1e-5, rtol=1e-4)


def test_a_sharded_run_resumes_alone(package, alone):
    trained(package, "runs/sharded", "--parallel", "fsdp", processes=2)
    last = package / "runs/sharded/step-00000004"
    last.rename(package / "runs/later")
    weights = trained(package, "runs/sharded", "--resume")
    for name, weight in weights.items():
        torch.testing.assert_close(weight, alone[name], atol=1e-5, rtol=1e-4)


def test_a_compiled_step_reaches_the_same_weights(package, alone):
    weights = trained(package, "runs/compiled", "--compile")
    for name, weight in weights.items():
        torch.testing.assert_close(weight, alone[name], atol=1e-4, rtol=1e-3)
