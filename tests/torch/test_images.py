"""Image classifiers compute what their `transformers` twins compute."""

import re

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from .packages import config_of, generated_package, part  # noqa: E402

SIDE, CLASSES = 32, 7
VIT = {
    "d_model": 48,
    "n_layers": 2,
    "n_heads": 4,
    "head_dim": 12,
    "d_ff": 96,
    "patch_size": 8,
    "norm_eps": 1e-12,
    "attn_qkv_bias": True,
    "activation": "gelu",
    "pool": "class_token",
}
CONV = {"hidden_sizes": (12, 20, 28, 36), "depths": (2, 1, 2, 1)}

VIT_NAMES = (
    (r"^vit\.embeddings\.cls_token", "class_token"),
    (r"^vit\.embeddings\.position_embeddings", "pos_embed"),
    (r"^vit\.embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
    (r"^vit\.(?:encoder\.)?layers?\.", "blocks."),
    (r"^vit\.layernorm", "norm"),
    (r"\.attention\.(?:attention\.)?(query|key|value)\.", r".attn.\1."),
    (r"\.query\.", ".q_proj."),
    (r"\.key\.", ".k_proj."),
    (r"\.value\.", ".v_proj."),
    (r"\.attention\.output\.dense", ".attn.o_proj"),
    (r"\.attention\.(q|k|v|o)_proj", r".attn.\1_proj"),
    (r"\.intermediate\.dense", ".mlp.up_proj"),
    (r"\.output\.dense", ".mlp.down_proj"),
    (r"\.mlp\.fc1", ".mlp.up_proj"),
    (r"\.mlp\.fc2", ".mlp.down_proj"),
    (r"\.layernorm_before", ".attn_norm"),
    (r"\.layernorm_after", ".mlp_norm"),
    (r"^classifier", "head"),
)
RESNET_NAMES = (
    (r"^resnet\.embedder\.embedder\.convolution", "stem.conv"),
    (r"^resnet\.embedder\.embedder\.normalization", "stem.norm"),
    (r"^resnet\.encoder\.stages\.(\d)\.layers\.", r"stages.\1."),
    (r"\.layer\.0\.", ".conv1."),
    (r"\.layer\.1\.", ".conv2."),
    (r"\.layer\.2\.", ".conv3."),
    (r"\.convolution\.", ".conv."),
    (r"\.normalization\.", ".norm."),
    (r"^classifier\.1", "head"),
)
CONVNEXT_NAMES = (
    (r"^convnext\.embeddings\.patch_embeddings", "stem.conv"),
    (r"^convnext\.embeddings\.layernorm", "stem.norm"),
    (r"^convnext\.encoder\.stages\.(\d)\.layers\.", r"stages.\1."),
    (r"^convnext\.layernorm", "norm"),
    (r"\.layer_scale_parameter", ".scale"),
    (r"\.dwconv\.", ".conv."),
    (r"\.layernorm\.", ".norm."),
    (r"\.pwconv1\.", ".up_proj."),
    (r"\.pwconv2\.", ".down_proj."),
    (r"^classifier", "head"),
)


def convnext_names(name):
    """Downsampling layers stand before their stage, not in it."""
    found = re.match(r"convnext\.encoder\.stages\.(\d)\.downsampling_layer\.(\d)\.(.*)", name)
    if not found:
        return renamed(name, CONVNEXT_NAMES)
    return f"downsamples.{int(found[1]) - 1}.{('norm', 'conv')[int(found[2])]}.{found[3]}"


def renamed(name, patterns):
    for pattern, new in patterns:
        name = re.sub(pattern, new, name)
    return name


def resnet(block):
    config = transformers.ResNetConfig(
        embedding_size=10, hidden_sizes=list(CONV["hidden_sizes"]), depths=list(CONV["depths"]),
        layer_type=block, num_labels=CLASSES,
    )  # fmt: skip
    return transformers.ResNetForImageClassification(config)


def vit(activation="gelu", qkv_bias=True):
    config = transformers.ViTConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        image_size=SIDE, patch_size=8, hidden_act=activation, qkv_bias=qkv_bias,
        num_labels=CLASSES, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return transformers.ViTForImageClassification(config)


def convnext():
    config = transformers.ConvNextConfig(
        hidden_sizes=list(CONV["hidden_sizes"]), depths=list(CONV["depths"]), num_labels=CLASSES,
        image_size=SIDE,
    )  # fmt: skip
    return transformers.ConvNextForImageClassification(config)


#: Topology, the library's model, our dimensions and switches, and the translation of a name.
TWINS = {
    "vit": ("vit", vit, VIT, lambda n: renamed(n, VIT_NAMES)),
    "vit, tanh": ("vit", lambda: vit("gelu_pytorch_tanh", False),
                  VIT | {"activation": "gelu_tanh", "attn_qkv_bias": False},
                  lambda n: renamed(n, VIT_NAMES)),
    "vit, quick": ("vit", lambda: vit("quick_gelu"), VIT | {"activation": "quick_gelu"},
                   lambda n: renamed(n, VIT_NAMES)),
    "basic": ("resnet", lambda: resnet("basic"), CONV | {"block": "basic", "stem_dim": 10},
              lambda n: renamed(n, RESNET_NAMES)),
    "bottleneck": ("resnet", lambda: resnet("bottleneck"),
                   CONV | {"block": "bottleneck", "stem_dim": 10, "reduction": 4},
                   lambda n: renamed(n, RESNET_NAMES)),
    "convnext": ("convnext", convnext,
                 CONV | {"patch_size": 4, "kernel_size": 7, "mlp_ratio": 4, "norm_eps": 1e-6},
                 convnext_names),
}  # fmt: skip


@pytest.fixture(scope="module", params=TWINS, ids=str)
def twin(request):
    """The library's model with random weights and statistics, and how to make ours."""
    topology, build, sizes, rename = TWINS[request.param]
    theirs = build().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in theirs.state_dict().items():
            if tensor.is_floating_point():
                fan = tensor[0].numel() if tensor.dim() > 1 else 25
                noise = torch.randn(tensor.shape, generator=generator) * fan**-0.5
                whole = name.endswith(("norm.weight", "normalization.weight", "running_var"))
                tensor.copy_(noise.abs() + 0.5 if whole or "scale" in name else noise)
    config = config_of(**sizes, image_size=SIDE, channels=3, num_classes=CLASSES)
    return topology, theirs, config, rename


@pytest.mark.parametrize("form", ["parts", "generated"])
@torch.inference_mode()
def test_scores_equal_those_of_the_library(twin, form):
    topology, theirs, config, rename = twin
    code = part(topology) if form == "parts" else generated_package(topology, config)
    ours = code.build_model(config).eval()
    ours.load_state_dict({rename(name): t for name, t in theirs.state_dict().items()})
    images = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    expected = theirs(images).logits
    assert expected.std() > 0.1
    torch.testing.assert_close(ours(images), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("pool", ["class_token", "mean"])
@torch.inference_mode()
def test_the_head_reads_what_it_should(pool):
    config = config_of(**VIT | {"pool": pool}, image_size=SIDE, channels=3, num_classes=CLASSES)
    model = part("vit").build_model(config).eval()
    read = []
    model.norm.register_forward_hook(lambda module, given, out: read.append(out))
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    features = model.features(images)
    assert read[0].size(1) == (SIDE // 8) ** 2 + (pool == "class_token")
    expected = read[0][:, 0] if pool == "class_token" else read[0].mean(dim=1)
    assert torch.equal(features, expected)
