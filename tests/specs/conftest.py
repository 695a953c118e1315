"""The canonical document, the smallest document, and how to be refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from metagen.specs.errors import SpecError
from metagen.specs.loader import load_spec, parse
from metagen.specs.schema import ModelSpec

CANONICAL = """\
metagen_version: "1.0"
name: "metagen_video_rt"
description: "Real-time multimodal video generation model"
modality:
  inputs: ["text", "image"]
  outputs: ["video", "audio"]
task: {type: "generation", domain: "video"}
constraints:
  latency: "real-time"          # offline (alias batch) | near-real-time | real-time
  device: "consumer_gpu"        # cpu | consumer_gpu | datacenter_gpu | edge
  parameter_budget: {max: "20B"}  # a quantity; "∞" is allowed
  memory_budget: "12GB"
  context_window: "1M"          # "∞" is allowed: comedic warning, approximated by 1M
  throughput: "30fps"           # fps, tok/s, img/s, samples/s, steps/s ...
training:
  objective: ["diffusion", "autoregressive"]
  data:
    sources: ["synthetic", "scraped", "licensed"]
    size: "unknown but large"
    governance: {pii: "we tried", copyright: "mostly"}     # tone fields: free text
  compute: {hardware: "8xH100", duration: "3 days"}
  alignment: {method: ["rlhf", "rlaif", "constitutional"], policy: "helpful-harmless-ish"}
architecture:
  family: "transformer"         # transformer | diffusion | hybrid | mamba | cnn | gnn | mlp | other
  components:
    - {name: "SpecEncoder", type: "transformer_encoder"}
    - {name: "ModelLatent", type: "hypernetwork_latent"}
    - {name: "ArchitectureSynth", type: "graph_generator"}
    - {name: "LossComposer", type: "objective_mixer"}
    - {name: "PaperHead", type: "latex_decoder"}
outputs:
  artifacts: ["pytorch_skeleton", "training_recipe", "benchmark_report", "paper", "model_card"]
evaluation:
  benchmarks: ["META-SOTA", "GEN-EVAL-∞", "FOUNDATION-BENCH"]
  baselines: ["GPT-4", "Gemini", "Llama", "SDXL"]
  metrics: ["Spec-Fidelity@1", "SOTA-Proximity", "Novelty-Per-Parameter"]
reproducibility: {seed: 42, determinism: "aspirational"}
"""

Make = Callable[..., ModelSpec]
Refuse = Callable[..., SpecError]


@pytest.fixture
def canonical() -> str:
    """The canonical document, as the requirements print it."""
    return CANONICAL


@pytest.fixture
def make() -> Make:
    """Resolve the smallest document with sections replaced: `make(constraints={...})`."""

    def made(inputs="text", outputs="text", **sections) -> ModelSpec:
        modality = {"inputs": inputs, "outputs": outputs}
        base = {"metagen_version": "1.0", "name": "x", "modality": modality}
        return parse({**base, **sections})

    return made


@pytest.fixture
def refuse(tmp_path) -> Refuse:
    """Load text or bytes from a file and return the error, which there has to be."""

    def refused(text: str | bytes, name: str = "bad.yaml") -> SpecError:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(SpecError) as caught:
            load_spec(path)
        assert str(path) in str(caught.value)
        return caught.value

    return refused
