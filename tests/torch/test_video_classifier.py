"""The video transformer gives the outputs of the library's, token pooled and mean pooled."""

import re

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from metagen.synth.codegen import network_sources  # noqa: E402
from metagen.synth.topologies import TOPOLOGIES  # noqa: E402

from .packages import PARTS, config_of, module, part  # noqa: E402

SIZES = {"frames": 6, "image_size": 16, "channels": 3, "tubelet": 2, "patch_size": 8,
         "num_classes": 7, "d_model": 48, "n_layers": 2, "n_heads": 4, "head_dim": 12, "d_ff": 96,
         "norm_eps": 1e-6, "attn_qkv_bias": True}  # fmt: skip

COMMON = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_labels": 7,
          "intermediate_size": 96, "image_size": 16, "num_frames": 6}  # fmt: skip

NAMES = (
    (r"^(vivit|videomae)\.", ""),
    (r"^encoder\.layer\.", "layers."),
    (r"^embeddings\.cls_token", "class_token"),
    (r"^embeddings\.position_embeddings", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection", "tubelet_embed"),
    (r"^layers\.", "blocks."),
    (r"\.attention\.attention\.(query|key|value)", r".attn.\1_proj"),
    (r"\.(q)uery_proj|\.(k)ey_proj|\.(v)alue_proj", r".\1\2\3_proj"),
    (r"\.attention\.output\.dense", ".attn.o_proj"),
    (r"\.attention\.", ".attn."),
    (r"\.layernorm_before", ".attn_norm"),
    (r"\.layernorm_after", ".mlp_norm"),
    (r"\.(mlp\.fc1|intermediate\.dense)", ".mlp.up_proj"),
    (r"\.(mlp\.fc2|output\.dense)", ".mlp.down_proj"),
    (r"^(layernorm|fc_norm)", "norm"),
    (r"^classifier", "head"),
)


def vivit():
    config = transformers.VivitConfig(**COMMON, tubelet_size=[2, 8, 8])
    dims = {"pool": "class_token", "pos": "learned", "activation": "gelu_tanh"}
    return transformers.VivitForVideoClassification(config), dims


def video_mae():
    config = transformers.VideoMAEConfig(
        **COMMON, tubelet_size=2, patch_size=8, use_mean_pooling=True, layer_norm_eps=1e-6
    )
    model = transformers.VideoMAEForVideoClassification(config)
    model.fc_norm.eps = 1e-6
    return model, {"pool": "mean", "pos": "fixed", "activation": "gelu"}


def renamed(state):
    """A library's state dict under our names; keys without a bias get one of zeros."""
    result = {}
    for name, tensor in state.items():
        for pattern, new in NAMES:
            name = re.sub(pattern, new, name)
        result[name] = tensor
    for layer in range(2):
        key = f"blocks.{layer}.attn.k_proj.bias"
        result.setdefault(key, torch.zeros(48))
    return result


@pytest.mark.parametrize("library", [vivit, video_mae])
def test_scores_equal_those_of_the_library(library, tmp_path):
    reference, dims = library()
    reference.eval()
    torch.manual_seed(0)
    for parameter in reference.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    config = config_of(**SIZES, **dims)
    topology = TOPOLOGIES["video_classifier"]
    numbers = {name: getattr(config, name) for name in topology.table}
    source = network_sources(topology, topology.switches(numbers))["model"]
    (tmp_path / "model.py").write_text(source, encoding="utf-8")
    (tmp_path / "config.py").write_text((PARTS / "config.py").read_text(encoding="utf-8"))
    generated = module(f"generated_video_{library.__name__}", tmp_path, "model")
    video = torch.randn(3, 6, 3, 16, 16)
    with torch.no_grad():
        expected = reference(video).logits
        for home in (part("video_classifier"), generated):
            model = home.build_model(config)
            model.load_state_dict(renamed(reference.state_dict()))
            torch.testing.assert_close(model(video), expected, atol=1e-4, rtol=1e-4)
