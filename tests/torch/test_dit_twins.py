"""Diffusion transformers without arithmetic: names, shapes, FLOPs, published and held-out sizes."""

import pytest

from metagen.synth.parts import dit_block as twins
from metagen.synth.parts.dit import Dit
from metagen.synth.parts.mmdit import Mmdit

torch = pytest.importorskip("torch")

from .packages import config_of, part  # noqa: E402
from .test_dit import DIT, MMDITS  # noqa: E402

#: The family of Peebles & Xie (2023), table 1: width, depth, heads.
SIZES = {"S": (384, 12, 6), "B": (768, 12, 12), "L": (1024, 24, 16), "XL": (1152, 28, 16)}
COMMON = {"time_features": 256, "condition": "class"}

#: Stable Diffusion 3 and 3.5, as `diffusers` configures them.
SD3 = {
    "medium": dict(num_layers=24, num_attention_heads=24, pos_embed_max_size=192),
    "3.5 medium": dict(num_layers=24, num_attention_heads=24, pos_embed_max_size=384,
                       qk_norm="rms_norm", dual_attention_layers=tuple(range(13))),
    "3.5 large": dict(num_layers=38, num_attention_heads=38, pos_embed_max_size=192,
                      qk_norm="rms_norm"),
}  # fmt: skip


def counted_flops(run):
    """What FlopCounterMode counts while `run()` runs, attention unmasked."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH), torch.device("meta"):
        run()
    return counter.get_total_flops()


def check_twin(twin, model, run, batch=2):
    """Names, order, shapes, kinds and FLOPs."""
    tensors, state = dict(twin.named_tensors()), model.state_dict()
    assert list(tensors) == list(state)
    assert {n: t.shape for n, t in tensors.items()} == {n: tuple(t.shape) for n, t in state.items()}
    learned = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {n for n, t in tensors.items() if t.trainable} == learned
    assert twin.count() == sum(p.numel() for p in model.parameters())
    assert twin.flops(batch, 1).counted == counted_flops(run)


@pytest.mark.parametrize("condition", ["class", "none"])
def test_dit_is_its_twin(condition):
    dims = DIT | {"condition": condition}
    with torch.device("meta"):
        model = part("dit").Dit(config_of(**dims), 7, 4, 12)
        given = [torch.zeros(2, 7, 12, 12), torch.zeros(2)]
        if condition == "class":
            given.append(torch.zeros(2, dtype=torch.long))
    check_twin(Dit(dims, 7, 4, 12), model, lambda: model(*given))


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("name", MMDITS)
def test_mmdit_is_its_twin(name, layers):
    dims = MMDITS[name][0] | {"n_layers": layers, "pooled_cut": False, "pooled_dim": 40}
    dims["dual_layers"] = min(dims["dual_layers"], layers)
    with torch.device("meta"):
        model = part("mmdit").Mmdit(config_of(**dims), 7, 4, 8)
        given = [torch.zeros(2, 7, 8, 8), torch.zeros(2), torch.zeros(2, 7, 40)]
        given.append(torch.zeros(2, 40))
    check_twin(Mmdit(dims, 7, 4, 8), model, lambda: model(*given))


@pytest.mark.parametrize("context", [0, 24])
def test_blocks_are_their_twins(context):
    code = part("dit_block")
    with torch.device("meta"):
        block = code.CrossDitBlock(64, 4, 128, 24) if context else code.DitBlock(64, 4, 128)
        given = [torch.zeros(2, 10, 64), torch.zeros(2, 64)]
        if context:
            given.append(torch.zeros(2, 9, 24))
    twin = twins.DitBlock(64, 4, 128, context, 9)
    assert list(dict(twin.named_tensors())) == list(block.state_dict())
    assert twin.count() == sum(p.numel() for p in block.parameters())
    assert twin.flops(2, 10).counted == counted_flops(lambda: block(*given))
    given[1] = given[1][:, None].expand(-1, 10, -1)  # a condition for every position
    twin = twins.DitBlock(64, 4, 128, context, 9, conditions=10)
    assert twin.flops(2, 10).counted == counted_flops(lambda: block(*given))


@pytest.mark.parametrize("patch", [2, 4, 8])
@pytest.mark.parametrize("size", SIZES)
def test_the_dit_family_is_counted_as_the_library_does(size, patch):
    """The library embeds time and label in every block, the original once."""
    diffusers = pytest.importorskip("diffusers")
    width, depth, heads = SIZES[size]
    with torch.device("meta"):
        theirs = diffusers.DiTTransformer2DModel(
            num_attention_heads=heads, attention_head_dim=width // heads, in_channels=4,
            out_channels=8, num_layers=depth, sample_size=32, patch_size=patch, dropout=0.0,
        )  # fmt: skip
    embeddings = sum(p.numel() for p in theirs.transformer_blocks[0].norm1.emb.parameters())
    trained = sum(p.numel() for p in theirs.parameters()) - (depth - 1) * embeddings
    dims = COMMON | {"d_model": width, "n_layers": depth, "n_heads": heads, "d_ff": 4 * width}
    ours = Dit(dims | {"patch_size": patch, "num_classes": 1000}, 4, 8, 32)
    assert sum(t.numel for _, t in ours.named_tensors() if t.trainable) == trained
    assert ours.count() == trained + (32 // patch) ** 2 * width
    published = {("XL", 2): 675_129_632, ("S", 2): 32_963_360}.get((size, patch), ours.count())
    assert ours.count() == published


@pytest.mark.parametrize("name", SD3)
def test_stable_diffusion_3_is_counted_as_the_library_does(name):
    diffusers = pytest.importorskip("diffusers")
    sizes = {"qk_norm": None, "dual_attention_layers": ()} | SD3[name]
    heads = sizes["num_attention_heads"]
    with torch.device("meta"):
        theirs = diffusers.SD3Transformer2DModel(
            sample_size=128, patch_size=2, in_channels=16, out_channels=16, attention_head_dim=64,
            joint_attention_dim=4096, caption_projection_dim=64 * heads,
            pooled_projection_dim=2048, **sizes,
        )  # fmt: skip
        noisy, states = torch.zeros(1, 16, 128, 128), torch.zeros(1, 333, 4096)
        given = dict(encoder_hidden_states=states, pooled_projections=torch.zeros(1, 2048))
        given["timestep"] = torch.zeros(1)
    dims = {
        "d_model": 64 * heads, "n_heads": heads, "n_layers": sizes["num_layers"],
        "d_ff": 256 * heads, "patch_size": 2, "time_features": 256, "text_d_model": 4096,
        "pooled_dim": 2048, "prompt_length": 333, "largest_grid": sizes["pos_embed_max_size"],
        "dual_layers": len(sizes["dual_attention_layers"]),
        "stream_norm": "rmsnorm" if sizes["qk_norm"] else "none",
    }  # fmt: skip
    ours = Mmdit(dims, 16, 16, 128)
    assert ours.count() == sum(p.numel() for p in theirs.parameters())
    shapes = sorted(t.shape for _, t in ours.named_tensors())
    assert shapes == sorted(tuple(t.shape) for t in theirs.state_dict().values())
    assert ours.flops(1, 1).counted == counted_flops(lambda: theirs(noisy, **given))
    if name == "medium":
        assert ours.count() == 2_028_328_000 and ours.flops(1, 1).counted == 8_904_337_539_072
