"""The mixed transformer: its losses against plain loops, its sets without order, its writer."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from .packages import config_of, part  # noqa: E402

CONFIG = dict(
    activation="gelu", attn_qkv_bias=True, norm="layernorm", pos="learned", mlp="plain",
    mlp_bias=True, attn_bias=True, key_bias=True, d_model=32, n_heads=4, head_dim=8, d_ff=48,
    context_length=9, vocab_size=20, image_size=10, patch_size=4, num_points=12, num_nodes=5,
    node_features=3, init_std=0.2,
)  # fmt: skip


@pytest.fixture
def config():
    return config_of(**CONFIG)


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def built(module):
    """A part with weights that are not those of an untrained model."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.3, generator=generator)
    return module.eval()


def test_patches_become_the_picture_that_they_were_cut_from(config):
    picture = drawn(2, 3, 12, 12)
    patches = torch.nn.functional.unfold(picture, 4, stride=4)  # (B, C * p * p, Q)
    tiles = patches.transpose(1, 2).unflatten(-1, (3, -1))
    whole = part("mixed_outputs").assembled(tiles, config)
    torch.testing.assert_close(whole, picture[..., :10, :10])


def test_the_chamfer_distance_is_that_of_its_definition():
    found, right = drawn(2, 5, 3), drawn(2, 7, 3)
    ours = part("mixed_outputs").chamfer(found, right)
    for a, b, distance in zip(found, right, ours, strict=True):
        there = sum(min(((p - q) ** 2).sum() for q in b) for p in a) / len(a)
        back = sum(min(((p - q) ** 2).sum() for p in a) for q in b) / len(b)
        torch.testing.assert_close(distance, there + back)


def test_edges_become_a_table():
    pairs = torch.tensor([[[0, 1], [2, 2], [-1, -1]], [[1, 0], [0, 2], [2, 1]]])
    table = part("mixed_outputs").adjacency(pairs, torch.zeros(2, 3, 3))
    found = [{tuple(cell) for cell in one.nonzero().tolist()} for one in table]
    assert found == [{(0, 1), (2, 2)}, {(1, 0), (0, 2), (2, 1)}]


@torch.inference_mode()
def test_points_and_nodes_have_no_order(config):
    inputs = part("mixed_inputs")
    points, order = drawn(2, 12, 3), torch.randperm(12)
    tokens = built(inputs.PointTokens(config))
    torch.testing.assert_close(tokens(points)[:, order], tokens(points[:, order]))
    nodes, present = drawn(1, 5, 3), torch.ones(1, 5, dtype=torch.bool)
    edges = torch.tensor([[[0, 1], [1, 2], [2, 4], [4, 3]]])
    turn = torch.tensor([3, 0, 4, 1, 2])  # new node i is old node turn[i]
    moved = turn.argsort()[edges]
    tokens = built(inputs.NodeTokens(config))
    ours, theirs = tokens(nodes, present, edges), tokens(nodes[:, turn], present, moved)
    torch.testing.assert_close(ours[:, turn], theirs)


@torch.inference_mode()
def test_what_fills_a_graph_changes_nothing(config):
    tokens = built(part("mixed_inputs").NodeTokens(config))
    nodes, edges = drawn(2, 5, 3), torch.tensor([[[0, 1], [1, 2]], [[2, 1], [0, 2]]])
    present = torch.tensor([[True, True, True, False, False]] * 2)
    more = torch.cat((edges, torch.full((2, 3, 2), -1)), dim=1)
    both = tokens(nodes, present, edges)
    torch.testing.assert_close(both, tokens(nodes, present, more))
    torch.testing.assert_close(both[1:], tokens(nodes[1:], present[1:], more[1:]))
    assert not both[:, 3:].any()


@torch.inference_mode()
def test_writing_with_a_cache_is_writing_without(config):
    writer = built(part("mixed_writer").Writer(config))
    memory, tokens = drawn(3, 6, 32), torch.randint(20, (3, 9))
    whole = writer(memory, tokens)
    cache = part("encoder_attention").Cache(config, config.n_layers, 3, 9, like=memory)
    steps = [writer(memory, tokens[:, i : i + 1], cache) for i in range(9)]
    torch.testing.assert_close(torch.cat(steps, dim=1), whole, atol=1e-4, rtol=1e-4)
    written = writer.write(memory, end=0)
    begun = torch.cat((torch.zeros_like(written[:, :1]), written[:, :-1]), dim=1)
    for ours, scored in zip(written, writer(memory, begun).argmax(dim=-1), strict=True):
        ends = (ours == 0).nonzero()
        length = ends[0].item() + 1 if len(ends) else len(ours)
        assert torch.equal(ours[:length], scored[:length])


@torch.inference_mode()
def test_spectrograms_become_sounds_that_have_them():
    config = config_of(sample_rate=2000, n_mels=16, n_frames=30)
    time = torch.arange(600) / 2000
    sound = 0.5 * torch.sin(2 * torch.pi * 300 * time)[None]
    spectra = part("mixed_spectra")
    again = spectra.spectrogram(
        spectra.as_sound(spectra.spectrogram(sound, config), config), config
    )
    assert again.mean(dim=2).argmax() == spectra.spectrogram(sound, config).mean(dim=2).argmax()
