"""Text encoders and their blueprints agree, whatever the head and the style."""

import pytest

from metagen.specs.loader import parse

from . import twins
from .generated import import_package

torch = pytest.importorskip("torch")

SMALL = {"vocab_size": 320, "d_model": 48, "n_layers": 4, "n_heads": 3, "head_dim": 16,
         "d_ff": 80, "max_pos": 64, "sliding_window": 16}  # fmt: skip

BERT = {"norm_order": "post", "norm_bias": True, "attn_bias": True, "mlp_bias": True,
        "mlp": "plain", "pos": "learned", "type_vocab_size": 2, "sliding_window": 0,
        "pooling": "first", "pooler": "tanh", "pooler_bias": True}  # fmt: skip

OUTPUTS = {"classification": "label", "masked": "text", "embedding": "embedding",
           "ranking": "value"}  # fmt: skip
OBJECTIVES = {"classification": "classification", "masked": "masked", "embedding": "contrastive",
              "ranking": "ranking"}  # fmt: skip

VARIANTS = {
    "classification": {},
    "classification, BERT": BERT,
    "classification, RoBERTa": BERT | {"pos_offset": 2, "pos_rows": 66, "type_vocab_size": 1},
    "classification, no pooler": {"pooler": "none", "first_norm": True, "sliding_window": 0},
    "masked": {},
    "masked, BERT": BERT | {"pooler": "gelu_norm"},
    "masked, untied": {"tied": False, "final_norm": False, "activation": "gelu_tanh"},
    "embedding": {},
    "embedding, BERT": BERT | {"embed_norm": False},
    "embedding, projected": {"embedding_dim": 24, "global_every": 1},
    "ranking": {},
    "ranking, BERT": BERT,
    "ranking, local learned": {"pos": "learned", "activation": "silu", "type_vocab_size": 0},
}


def spec_of(head, dims):
    return parse(
        {
            "metagen_version": "1.0",
            "name": "probe",
            "modality": {"inputs": ["text"], "outputs": [OUTPUTS[head]]},
            "training": {"objective": [OBJECTIVES[head]]},
            "constraints": {"latency": "offline", "memory_budget": "∞"},
            "architecture": {"dims": dims},
        }
    )


@pytest.fixture(scope="module", params=VARIANTS, ids=str)
def variant(request, tmp_path_factory):
    spec = spec_of(request.param.partition(",")[0], SMALL | VARIANTS[request.param])
    return import_package(spec, tmp_path_factory.mktemp("code"))


def test_the_blueprint_is_the_state_dict(variant):
    package, release, _ = variant
    twins.check_state_dict(package, release)
    modules = release.blueprint["architecture"]["modules"]
    assert sum(m["params"] for m in modules) == release.figures["total_params"].value


@pytest.mark.parametrize("length", [5, 32, 37])
def test_flops_are_those_that_pytorch_counts(variant, length):
    twins.check_flops_of_tokens(*variant[:2], length)


def test_the_generated_code_is_clean(variant):
    _, release, home = variant
    twins.check_style(home)
    twins.check_switches(release)


def test_the_tiny_preset_runs_forward_and_backward(variant):
    package, *_ = variant
    twins.check_training_pass(package)
