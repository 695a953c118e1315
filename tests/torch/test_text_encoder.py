"""Text encoders compute what the library's do, of the parts and of generated source."""

from __future__ import annotations

import itertools
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest

from metagen.synth.codegen import network_sources
from metagen.synth.solver import Frame
from metagen.synth.topologies import TOPOLOGIES

from .packages import PARTS, module, part

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZE = dict(vocab_size=96, d_model=48, n_layers=4, n_heads=4, head_dim=12, d_ff=80, max_pos=64)
BERT = dict(
    norm_order="post", norm_bias=True, norm_eps=1e-12, attn_bias=True, mlp_bias=True, mlp="plain",
    pos="learned", pos_rows=64, type_vocab_size=2, sliding_window=0, pooling="first",
    pooler="tanh", pooler_bias=True,
)  # fmt: skip
ROBERTA = BERT | dict(pos_rows=66, pos_offset=2, type_vocab_size=1, norm_eps=1e-5)
MODERN = dict(
    sliding_window=8, global_every=3, rope_theta=700.0, local_rope_theta=50.0, pooling="first"
)

LIBRARY = dict(
    vocab_size=96, hidden_size=48, num_hidden_layers=4, num_attention_heads=4, intermediate_size=80,
    max_position_embeddings=64,
)  # fmt: skip
MODERN_LIBRARY = LIBRARY | dict(
    local_attention=8, global_attn_every_n_layers=3, norm_eps=1e-5, pad_token_id=0,
    rope_parameters={
        "full_attention": {"rope_type": "default", "rope_theta": 700.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 50.0},
    },
)  # fmt: skip

BERT_NAMES = (
    (r"^(bert|roberta)\.", ""),
    (r"^embeddings\.word_embeddings", "embed"),
    (r"^embeddings\.position_embeddings", "pos_embed"),
    (r"^embeddings\.token_type_embeddings", "type_embed"),
    (r"^embeddings\.LayerNorm", "embed_norm"),
    (r"^encoder\.layer\.", "blocks."),
    (r"attention\.self\.query", "attn.q_proj"),
    (r"attention\.self\.key", "attn.k_proj"),
    (r"attention\.self\.value", "attn.v_proj"),
    (r"attention\.output\.dense", "attn.o_proj"),
    (r"attention\.output\.LayerNorm", "attn_norm"),
    (r"intermediate\.dense", "mlp.up_proj"),
    (r"(blocks\.\d+)\.output\.dense", r"\1.mlp.down_proj"),
    (r"(blocks\.\d+)\.output\.LayerNorm", r"\1.mlp_norm"),
    (r"^pooler\.dense|^classifier\.dense|^cls\.predictions\.transform\.dense|^lm_head\.dense",
     "pooler"),
    (r"^cls\.predictions\.transform\.LayerNorm|^lm_head\.layer_norm", "pooler_norm"),
    (r"^cls\.predictions\.decoder|^lm_head\.decoder|^classifier(\.out_proj)?\.", "head."),
    (r"\.\.", "."),
)  # fmt: skip
MODERN_NAMES = (
    (r"^model\.", ""),
    (r"^embeddings\.tok_embeddings", "embed"),
    (r"^embeddings\.norm", "embed_norm"),
    (r"^layers\.", "blocks."),
    (r"attn\.Wo", "attn.o_proj"),
    (r"mlp\.Wo", "mlp.down_proj"),
    (r"^final_norm", "norm"),
    (r"^head\.dense", "pooler"),
    (r"^head\.norm", "pooler_norm"),
    (r"^(decoder|classifier)\.", "head."),
)

#: Our dimensions beyond `SIZE`, the library's class and configuration, names.
TWINS: dict[str, tuple[dict[str, Any], str, dict[str, Any], Any]] = {
    "BERT": (BERT | dict(head="embedding"), "BertModel", LIBRARY, BERT_NAMES),
    "BERT, classification": (
        BERT | dict(head="classification", num_classes=5),
        "BertForSequenceClassification", LIBRARY | dict(num_labels=5), BERT_NAMES,
    ),
    "BERT, ranking": (
        BERT | dict(head="ranking"),
        "BertForSequenceClassification", LIBRARY | dict(num_labels=1), BERT_NAMES,
    ),
    "BERT, masked": (
        BERT | dict(head="masked", pooler="gelu_norm"), "BertForMaskedLM", LIBRARY, BERT_NAMES,
    ),
    "RoBERTa": (
        ROBERTA | dict(head="embedding"), "RobertaModel",
        LIBRARY | dict(max_position_embeddings=66, type_vocab_size=1, layer_norm_eps=1e-5),
        BERT_NAMES,
    ),
    "RoBERTa, classification": (
        ROBERTA | dict(head="classification", num_classes=3), "RobertaForSequenceClassification",
        LIBRARY | dict(max_position_embeddings=66, type_vocab_size=1, layer_norm_eps=1e-5,
                       num_labels=3),
        BERT_NAMES,
    ),
    "RoBERTa, masked": (
        ROBERTA | dict(head="masked", pooler="gelu_norm"), "RobertaForMaskedLM",
        LIBRARY | dict(max_position_embeddings=66, type_vocab_size=1, layer_norm_eps=1e-5),
        BERT_NAMES,
    ),
    "ModernBERT": (
        MODERN | dict(head="embedding", pooler="none"), "ModernBertModel", MODERN_LIBRARY,
        MODERN_NAMES,
    ),
    "ModernBERT, masked": (
        MODERN | dict(head="masked", pooler="gelu_norm"), "ModernBertForMaskedLM", MODERN_LIBRARY,
        MODERN_NAMES,
    ),
    "ModernBERT, classification, mean": (
        MODERN | dict(head="classification", num_classes=3, pooler="gelu_norm", pooling="mean"),
        "ModernBertForSequenceClassification",
        MODERN_LIBRARY | dict(num_labels=3, classifier_pooling="mean"), MODERN_NAMES,
    ),
}  # fmt: skip

_names = itertools.count()


def config_of(own):
    """A configuration of the parts, and the dimensions that it stands for."""
    topology = TOPOLOGIES["text_encoder"]
    dims = topology.base(1e5, Frame(pins=SIZE | own))
    values = topology.switches(dims) | {n: dims[d] for d, n in topology.fields(dims).items()}
    known = part("config").Config.__dataclass_fields__
    return part("config").Config(**{n: v for n, v in values.items() if n in known}), dims


def build_parts(config, dims):
    return part("text_encoder").build_model(config)


def build_generated(config, dims):
    topology = TOPOLOGIES["text_encoder"]
    folder, name = Path(tempfile.mkdtemp()), f"generated_encoder_{next(_names)}"
    (folder / "config.py").write_text((PARTS / "config.py").read_text(encoding="utf-8"))
    (folder / "model.py").write_text(
        network_sources(topology, topology.switches(dims))["model"], "utf-8"
    )
    return module(name, folder, "model").build_model(config)


def translated(state, names, own):
    """The library's tensors under our names."""
    result = {}
    for name, tensor in state.items():
        if name.endswith(("cls.predictions.bias", "lm_head.bias", "position_ids")):
            continue
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)
        if "Wqkv" in name:
            for piece, rows in zip("qkv", tensor.chunk(3), strict=True):
                result[name.replace("Wqkv", f"{piece}_proj")] = rows.clone()
        elif "mlp.Wi" in name:
            gate, up = tensor.chunk(2)
            result[name.replace("Wi", "gate_proj")] = gate.clone()
            result[name.replace("Wi", "up_proj")] = up.clone()
        else:
            result[name] = tensor
    return result


@pytest.fixture(scope="module", params=[build_parts, build_generated], ids=["parts", "generated"])
def build(request):
    return request.param


@pytest.fixture(scope="module", params=TWINS)
def pair(request, build):
    """A library's model with random weights, ours with the same ones, and our dimensions."""
    own, name, kwargs, names = TWINS[request.param]
    library = getattr(transformers, name)
    settings = library.config_class(**kwargs)
    settings._attn_implementation = "eager"
    theirs = library(settings).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in theirs.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            scale = parameter.size(-1) ** -0.5 if parameter.dim() > 1 else 0.2
            parameter.copy_(noise * scale + (parameter if parameter.dim() == 1 else 0))
    config, dims = config_of(own)
    ours = build(config, dims).eval()
    ours.load_state_dict(translated(theirs.state_dict(), names, own))
    return theirs, ours, dims


def outcome(theirs, dims, **inputs):
    """What of the library's output stands for ours."""
    found = theirs(**inputs)
    if dims["head"] != "embedding":
        return found.logits.squeeze(-1) if dims["head"] == "ranking" else found.logits
    return found.pooler_output if dims["pooler"] == "tanh" else found.last_hidden_state[:, 0]


def tokens_of(length):
    generator = torch.Generator().manual_seed(length)
    return torch.randint(2, SIZE["vocab_size"], (3, length), generator=generator)


@pytest.mark.parametrize("length", [1, 5, 12, 41])
@torch.inference_mode()
def test_outputs_equal_those_of_the_library(pair, length):
    theirs, ours, dims = pair
    tokens = tokens_of(length)
    expected = outcome(theirs, dims, input_ids=tokens)
    torch.testing.assert_close(ours(tokens), expected, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_padding_is_not_read(pair):
    theirs, ours, dims = pair
    tokens = tokens_of(33)
    seen = torch.arange(33) < torch.tensor([[33], [20], [7]])
    padded = torch.where(seen, tokens, 1)  # RoBERTa counts positions up to its padding token
    expected = outcome(theirs, dims, input_ids=padded, attention_mask=seen.long())
    found = ours(padded, seen)
    if dims["head"] == "masked":
        found, expected = found[seen], expected[seen]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_types_tell_two_texts_apart(build):
    own, name, kwargs, names = TWINS["BERT, classification"]
    theirs = getattr(transformers, name)(transformers.BertConfig(**kwargs)).eval()
    ours = build(*config_of(own)).eval()
    ours.load_state_dict(translated(theirs.state_dict(), names, own))
    tokens = tokens_of(20)
    types = (torch.arange(20) > 9).long().expand(3, -1)
    expected = theirs(input_ids=tokens, token_type_ids=types).logits
    torch.testing.assert_close(ours(tokens, None, types), expected, atol=1e-4, rtol=0)
    assert not torch.allclose(ours(tokens), expected, atol=1e-4)
