"""The autoencoder and the prompt encoder that releases share: twins and ladders."""

import pytest

from metagen.synth.parts.autoencoder_kl import Autoencoder
from metagen.synth.parts.prompt_encoder import PromptEncoder
from metagen.synth.topologies.latents import (
    AUTOENCODER,
    autoencoder_dims,
    autoencoder_params,
    autoencoder_tiny,
    customary_stages,
    prompt_dims,
    prompt_params,
    prompt_tiny,
)

torch = pytest.importorskip("torch")

from .packages import config_of, part  # noqa: E402


def counted_flops(run):
    """What FlopCounterMode counts while `run()` runs, attention unmasked."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH), torch.device("meta"):
        run()
    return counter.get_total_flops()


def check_twin(twin, model, run):
    """Names, order, shapes and FLOPs."""
    tensors = {name: tensor.shape for name, tensor in twin.named_tensors()}
    assert list(tensors) == list(model.state_dict())
    assert tensors == {name: tuple(t.shape) for name, t in model.state_dict().items()}
    assert twin.count() == sum(p.numel() for p in model.parameters())
    assert twin.flops(2, 1).counted == counted_flops(run)


@pytest.mark.parametrize("size", [8, 28, 32, 64, 224, 512, 99])
@pytest.mark.parametrize("room", [5e3, 3e5, 9e6, 1e8, 2e9])
def test_the_autoencoder_is_its_twin(room, size):
    dims = autoencoder_dims(room, size, release=room * 8) | {"channels": 3, "image_size": size}
    smallest = autoencoder_params(autoencoder_dims(0, size) | {"channels": 3})
    assert autoencoder_params(dims) <= max(room, smallest) and smallest < 8e3
    config = config_of(**dims)
    with torch.device("meta"):
        model = part("autoencoder_kl").Autoencoder(config)
        images = torch.empty(2, 3, size, size)
    twin = Autoencoder(dims)
    check_twin(twin, model, lambda: model.decode(model.latents(images)))
    assert twin.encode_flops(1) + twin.decode_flops(1) == twin.flops(1, 1)
    assert twin.encode_flops(1).counted == counted_flops(lambda: model.encode(images[:1]))


@pytest.mark.parametrize("room", [0, 1e5, 3e6, 2e8, 7e9])
def test_the_prompt_encoder_is_its_twin(room):
    dims = prompt_dims(room, release=room * 6)
    assert prompt_params(dims) <= max(room, prompt_params(prompt_dims(0)))
    with torch.device("meta"):
        model = part("prompt_encoder").PromptEncoder(config_of(**dims))
        tokens = torch.zeros(2, dims["prompt_length"], dtype=torch.long)
    check_twin(PromptEncoder(dims), model, lambda: model(tokens))
    small = {**dims, **prompt_tiny(dims)}
    assert all(small[name] <= dims[name] for name in dims)
    assert small["text_d_model"] % small["text_n_heads"] == 0


@pytest.mark.parametrize("size", [8, 28, 32, 64, 256, 768])
def test_tiny_autoencoders_are_no_larger(size):
    for room in (0, 1e6, 1e9):
        dims = autoencoder_dims(room, size)
        small = dims | autoencoder_tiny(dims, min(32, size))
        assert small["ae_groups"] <= dims["ae_groups"] and dims.keys() == AUTOENCODER.keys()
        assert all(w % small["ae_groups"] == 0 for w in small["ae_channels"])
        assert min(32, size) % 2 ** (len(small["ae_channels"]) - 1) == 0
        assert len(dims["ae_channels"]) == customary_stages(size)
