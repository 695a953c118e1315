"""The fusion transformer against its definition, written plainly; parts and generated source."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

from .packages import config_of, generated_package, part  # noqa: E402

SIZES = dict(
    vocab_size=320, context_length=10, image_size=16, patch_size=8, sample_rate=8000, n_frames=16,
    n_mels=16, audio_patch=8, num_classes=5, embedding_dim=12, d_model=32, n_layers=2, n_heads=4,
    head_dim=8, d_ff=48, norm_eps=1e-6, init_std=0.2, temperature=0.1,
)  # fmt: skip
SWITCHES = dict(
    reads_text=True, reads_image=True, reads_audio=True, gives_label=True, gives_value=True,
    gives_embedding=True, several_inputs=True, activation="gelu", attn_qkv_bias=True,
)  # fmt: skip
SPANS = {"tokens": (1, 11), "images": (11, 15), "waveform": (15, 19)}


@pytest.fixture(scope="module", params=["parts", "generated"])
def model(request):
    config = config_of(**SIZES, **SWITCHES)
    code = part("fused") if request.param == "parts" else generated_package("fused", config)
    model = code.build_model(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(1))
    return model


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(2)
    return {
        "tokens": torch.randint(320, (6, 10), generator=generator),
        "images": torch.randn(6, 3, 16, 16, generator=generator),
        "waveform": torch.rand(6, 16 * 80, generator=generator) * 2 - 1,
        "labels": torch.tensor([0, 1, 2, 3, 4, 0]),
        "values": torch.randn(6, generator=generator),
        "groups": torch.tensor([0, 0, 1, 1, 1, 2]),
    }


def plain_features(model, pieces):
    """The class token after all blocks, from matrix products alone."""
    kinds = model.modality_embed
    x = torch.cat([piece + kind for piece, kind in zip(pieces, kinds, strict=True)], dim=1)
    x = torch.cat([model.class_token.expand(len(x), 1, -1), x], dim=1) + model.pos_embed
    for block in model.blocks:
        seen = F.layer_norm(x, (32,), block.attn_norm.weight, block.attn_norm.bias, 1e-6)
        heads = []
        for h in range(4):
            rows = slice(8 * h, 8 * h + 8)
            q, k, v = (
                seen @ p.weight[rows].T + p.bias[rows]
                for p in (block.attn.q_proj, block.attn.k_proj, block.attn.v_proj)
            )
            heads.append((q @ k.transpose(1, 2) / 8**0.5).softmax(dim=-1) @ v)
        x = x + block.attn.o_proj(torch.cat(heads, dim=-1))
        seen = F.layer_norm(x, (32,), block.mlp_norm.weight, block.mlp_norm.bias, 1e-6)
        x = x + block.mlp.down_proj(F.gelu(block.mlp.up_proj(seen)))
    return F.layer_norm(x, (32,), model.norm.weight, model.norm.bias, 1e-6)[:, 0]


@torch.inference_mode()
def test_outputs_equal_the_definition(model, batch):
    x = plain_features(model, model.tokens(batch))
    outputs = model(batch)
    torch.testing.assert_close(outputs["label"], model.label_head(x), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(outputs["value"], model.value_head(x)[:, 0], atol=1e-4, rtol=1e-4)
    vectors = model.embedding_head(x)
    vectors = vectors / vectors.norm(dim=1, keepdim=True)
    torch.testing.assert_close(outputs["embedding"], vectors, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_each_input_has_its_own_span_of_the_sequence(model, batch):
    pieces = model.tokens(batch)
    assert [piece.size(1) for piece in pieces] == [b - a for a, b in SPANS.values()]
    for i, name in enumerate(SPANS):
        changed = model.tokens(batch | {name: batch[name].flip(0)})
        for j, (old, new) in enumerate(zip(pieces, changed, strict=True)):
            assert torch.equal(old, new) == (i != j)


@torch.inference_mode()
def test_a_silenced_input_changes_nothing(model, batch, monkeypatch):
    """Where its tokens, their kind and their places are zero, what an input says is not heard."""
    plain = type(model).tokens
    for i, name in enumerate(SPANS):

        def silenced(self, batch, i=i):
            pieces = plain(self, batch)
            return [piece * (j != i) for j, piece in enumerate(pieces)]

        monkeypatch.setattr(type(model), "tokens", silenced)
        before = model(batch)["label"]
        after = model(batch | {name: batch[name].flip(0)})["label"]
        torch.testing.assert_close(before, after)
        monkeypatch.setattr(type(model), "tokens", plain)
        assert not torch.allclose(model(batch)["label"], before)


@torch.inference_mode()
def test_a_permuted_batch_permutes_the_outputs(model, batch):
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    outputs = model(batch)
    permuted = model({name: tensor[order] for name, tensor in batch.items()})
    for name, output in outputs.items():
        torch.testing.assert_close(permuted[name], output[order], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_losses_equal_their_definitions(model, batch):
    outputs, losses = model(batch), model.losses(batch)
    label, value, embedding = losses.values()
    chosen = outputs["label"].log_softmax(dim=1)[torch.arange(6), batch["labels"]]
    torch.testing.assert_close(label, -chosen.mean())
    torch.testing.assert_close(value, ((outputs["value"] - batch["values"]) ** 2).mean())
    total = 0.0
    for i in range(6):
        others = [j for j in range(6) if j != i]
        partners = [j for j in others if batch["groups"][j] == batch["groups"][i]]
        scores = {j: outputs["embedding"][i] @ outputs["embedding"][j] / 0.1 for j in others}
        norm = torch.stack(list(scores.values())).logsumexp(dim=0)
        total += sum(norm - scores[j] for j in partners) / max(1, len(partners))
    torch.testing.assert_close(embedding, total / 6, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model.loss(batch), label + value + embedding)
