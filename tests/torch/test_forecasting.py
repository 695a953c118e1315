"""Models of series: equal to the library's with copied weights, and to their definitions."""

import pytest

torch = pytest.importorskip("torch")

from .packages import config_of, generated_package, part  # noqa: E402

SIZES = {
    "lookback": 50, "horizon": 6, "num_variables": 3, "patch_length": 8, "patch_stride": 4,
    "d_model": 16, "n_layers": 2, "n_heads": 2, "head_dim": 8, "d_ff": 24, "mlp": "plain",
    "mlp_bias": True, "activation": "gelu", "attn_qkv_bias": True, "answer": "point",
}  # fmt: skip
KINDS = {
    "published": {"norm": "batchnorm", "pos": "sincos", "pool": "mean", "final_norm": False},
    "norms last": {
        "norm": "batchnorm", "pos": "learned", "pool": "mean", "final_norm": False,
        "pre_norm": False,
    },
    "flattened": {"norm": "layernorm", "pos": "learned", "pool": "flatten", "final_norm": False},
}  # fmt: skip
NAMES = {
    "model.encoder.embedder.input_embedding": "embed",
    "model.encoder.positional_encoder.position_enc": "positions",
    "model.encoder.layers": "blocks",
    "self_attn.out_proj": "attn.o_proj",
    "self_attn": "attn",
    "norm_sublayer1": "attn_norm",
    "norm_sublayer3": "mlp_norm",
    ".batchnorm": "",
    "ff.0": "mlp.up_proj",
    "ff.3": "mlp.down_proj",
    "head.projection": "head",
}


def library_model(kind):
    transformers = pytest.importorskip("transformers")
    switches = KINDS[kind]
    config = transformers.PatchTSTConfig(
        num_input_channels=3, context_length=50, prediction_length=6, patch_length=8,
        patch_stride=4, num_hidden_layers=2, d_model=16, num_attention_heads=2, ffn_dim=24,
        norm_type=switches["norm"], pre_norm=switches.get("pre_norm", True), loss="mse",
        positional_encoding_type={"learned": "random"}.get(switches["pos"], switches["pos"]),
        pooling_type={"flatten": None}.get(switches["pool"], switches["pool"]), scaling="std",
        share_embedding=True, share_projection=True,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.PatchTSTForPrediction(config).eval()
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and "position_enc" not in name:
            torch.nn.init.normal_(tensor, std=0.3)
        if name.endswith("running_var"):
            tensor.abs_().add_(0.5)
    return model


def renamed(state):
    found = {}
    for name, tensor in state.items():
        for theirs, ours in NAMES.items():
            name = name.replace(theirs, ours)
        found[name] = tensor
    return found


def model_of(topology, top, config, source):
    if source == "parts":
        return part(top).build_model(config)
    return generated_package(topology, config).build_model(config)


@torch.no_grad()
@pytest.mark.parametrize("source", ["parts", "generated"])
@pytest.mark.parametrize("kind", KINDS)
def test_forecasts_equal_those_of_the_library(kind, source):
    library, config = library_model(kind), config_of(**SIZES, **KINDS[kind])
    model = model_of("patch_forecaster", "forecaster", config, source)
    fresh = model.state_dict()["positions"].clone()
    model.load_state_dict(renamed(library.state_dict()))
    model.eval()
    generator = torch.Generator().manual_seed(1)
    past = 5 + 3 * torch.randn(4, 50, 3, generator=generator).cumsum(dim=1)
    wanted = library(past_values=past).prediction_outputs
    found = model(past, torch.ones_like(past, dtype=torch.bool)).squeeze(-1)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    if kind == "published":  # positions that are computed are the library's from the start
        torch.testing.assert_close(fresh, model.positions, atol=1e-6, rtol=1e-5)
        assert not model.positions.requires_grad


@torch.no_grad()
def test_training_keeps_the_statistics_of_the_library():
    library, config = library_model("published"), config_of(**SIZES, **KINDS["published"])
    model = part("forecaster").build_model(config)
    model.load_state_dict(renamed(library.state_dict()))
    past = torch.randn(4, 50, 3, generator=torch.Generator().manual_seed(2))
    wanted = library.train()(past_values=past).prediction_outputs
    found = model.train()(past, torch.ones_like(past, dtype=torch.bool)).squeeze(-1)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    theirs = renamed(library.state_dict())
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, theirs[name], atol=1e-5, rtol=1e-5)


def test_the_quantile_loss_is_that_of_its_definition():
    forecaster = part("forecaster")
    generator = torch.Generator().manual_seed(3)
    truth, answers = torch.randn(5, generator=generator), torch.randn(5, 9, generator=generator)
    wanted = torch.zeros(5)
    for i, level in enumerate(forecaster.DECILES):
        for row in range(5):
            error = truth[row] - answers[row, i]
            wanted[row] += 2 / 9 * (level * error if error > 0 else (level - 1) * error)
    torch.testing.assert_close(forecaster.pinball(truth[:, None], answers), wanted)


@torch.no_grad()
def test_deciles_are_in_order_and_in_units():
    config = config_of(**SIZES | {"answer": "quantiles", "pos": "learned", "pool": "last"},
                       norm="layernorm")  # fmt: skip
    model = part("forecaster").build_model(config)
    torch.nn.init.normal_(model.head.weight)
    past = 40 + torch.randn(2, 50, 3)
    known = torch.rand(past.shape) < 0.8
    found = model(past, known)
    assert found.shape == (2, 6, 3, 9) and (found.diff(dim=-1) >= 0).all()
    x, centre, scale = model.answers(past, known)
    for i in range(3):
        mine = past[0, known[0, :, i], i]
        assert centre[0, 0, i, 0].item() == pytest.approx(mine.mean().item(), rel=1e-5)
        assert scale[0, 0, i, 0].item() == pytest.approx(mine.std(correction=0).item(), rel=1e-3)


@torch.no_grad()
def test_patches_end_with_the_series():
    config = config_of(**SIZES, **KINDS["flattened"])
    model = part("forecaster").build_model(config)
    found = model.patches(torch.arange(50.0).expand(1, 3, -1).transpose(1, 2))  # (1, 3, N, P)
    assert found.shape == (1, 3, 11, 8)
    assert found[0, 2, -1].tolist() == list(range(42, 50))
    assert found[0, 0, 0].tolist() == list(range(2, 10))


@torch.no_grad()
@pytest.mark.parametrize("ssm", ["mamba", "mamba2"])
def test_a_state_space_model_reads_from_the_left(ssm):
    sizes = {n: SIZES[n] for n in ("lookback", "horizon", "num_variables", "d_model", "n_layers")}
    config = config_of(
        **sizes, patch_length=5, patch_stride=5, backbone="state_space", pos="none", ssm=ssm,
        norm="rmsnorm", d_inner=32, d_state=4, d_conv=4, dt_rank=2, n_heads=4, answer="quantiles",
        pool="last",
    )  # fmt: skip
    model = part("forecaster").build_model(config)
    past = torch.randn(1, 50, 3)
    known = torch.ones_like(past, dtype=torch.bool)
    before = model.read(model.embedded(past))
    past[:, 25:] += 1
    after = model.read(model.embedded(past))  # (1, 3, 10, D)
    torch.testing.assert_close(before[:, :, :5], after[:, :, :5])
    assert not torch.allclose(before[:, :, 5:], after[:, :, 5:], atol=1e-3)
    assert model(past, known).shape == (1, 6, 3, 9)


@torch.no_grad()
def test_every_patch_is_judged_while_it_is_hidden():
    sizes = SIZES | {"patch_length": 4, "patch_stride": 4}
    config = config_of(**sizes, pos="learned", norm="layernorm", masked=True)
    detector = part("series_detector")
    model = detector.build_model(config)
    torch.nn.init.normal_(model.head.weight)
    values = torch.randn(2, 50, 3)
    errors = model(values, torch.ones_like(values, dtype=torch.bool))
    scaled, _, _ = model.standardise(values, torch.ones_like(values, dtype=torch.bool))
    assert (errors[:, :2] == 0).all()  # 12 patches of 4 leave 2 steps over
    for patch in range(12):
        hidden = (torch.arange(12) % detector.ROUNDS == patch % detector.ROUNDS).expand(2, -1)
        made = model.restore(scaled, hidden)[:, :, patch].transpose(1, 2)  # (2, 4, 3)
        steps = slice(2 + 4 * patch, 6 + 4 * patch)
        torch.testing.assert_close(errors[:, steps], (scaled[:, steps] - made).abs())
