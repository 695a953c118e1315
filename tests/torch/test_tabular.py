"""Models of tables: equal to the papers' definitions, and to the library's layers."""

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from .packages import config_of, generated_package, part  # noqa: E402

SIZES = {"num_numeric": 4, "num_categorical": 3, "categories": 5, "word_dim": 6, "d_model": 16,
         "n_layers": 2, "n_heads": 2, "head_dim": 8, "d_ff": 24, "num_classes": 3, "num_targets": 2,
         "activation": "gelu", "attn_qkv_bias": True}  # fmt: skip
PARTS_OF = {"tabular_transformer": "tabular_transformer", "tabular_mlp": "tabular_mlp"}


@pytest.fixture
def batch():
    torch.manual_seed(0)
    absent = torch.rand(7, 4) < 0.3
    return {
        "numbers": torch.randn(7, 4).masked_fill(absent, 0.0),
        "absent": absent,
        "words": torch.randint(5, (7, 3)),
        "labels": torch.randint(3, (7,)),
        "values": torch.randn(7, 2),
        "groups": torch.arange(7) // 2,
        "hidden": torch.rand(7, 7) < 0.4,
    }


def randomised(model):
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def test_a_block_is_the_librarys_encoder_layer():
    ours = randomised(part("vit_block").VitBlock(config_of(**SIZES), 16, 2, 8, 24))
    theirs = torch.nn.TransformerEncoderLayer(
        16, 2, 24, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).eval()
    own = ours.state_dict()
    qkv = [f"attn.{n}_proj" for n in "qkv"]
    names = {"self_attn.out_proj": "attn.o_proj", "linear1": "mlp.up_proj",
             "linear2": "mlp.down_proj", "norm1": "attn_norm", "norm2": "mlp_norm"}  # fmt: skip
    state = {f"{a}.{k}": own[f"{b}.{k}"] for a, b in names.items() for k in ("weight", "bias")}
    state |= {f"self_attn.in_proj_{k}": torch.cat([own[f"{n}.{k}"] for n in qkv])
              for k in ("weight", "bias")}  # fmt: skip
    theirs.load_state_dict(state)
    x = torch.randn(3, 8, 16)
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)


def test_the_transformer_is_what_the_paper_defines(batch):
    """Gorishniy et al. 2021, section 3.3, cell by cell; a missing number has a token of its own."""
    model = randomised(part("tabular_transformer").build_model(config_of(**SIZES)))
    tokens = model.tokens
    rows = []
    for r in range(7):
        row = [tokens.class_token[0, 0]]
        for j in range(4):
            if batch["absent"][r, j]:
                row.append(tokens.number_missing[j])
            else:
                row.append(tokens.number_bias[j] + batch["numbers"][r, j] * tokens.number_weight[j])
        for j in range(3):
            one_hot = F.one_hot(batch["words"][r, j], 5).float()
            table = tokens.word_embed.weight[5 * j : 5 * j + 5]
            row.append(tokens.word_bias[j] + one_hot @ table)
        rows.append(torch.stack(row))
    x = torch.stack(rows)
    for block in model.blocks:
        x = block(x)
    wanted = F.linear(
        F.relu(F.layer_norm(x[:, 0], (16,), model.norm.weight, model.norm.bias)),
        model.label_head.weight,
        model.label_head.bias,
    )
    torch.testing.assert_close(model(batch)["label"], wanted, atol=1e-4, rtol=1e-4)


def test_the_perceptron_is_what_the_paper_defines(batch):
    """Gorishniy et al. 2021, section 3.2, with norms over features instead of over the batch."""
    model = randomised(part("tabular_mlp").build_model(config_of(**SIZES)))
    words = [model.word_embed.weight[5 * j + batch["words"][:, j]] for j in range(3)]
    x = model.in_proj(torch.cat([batch["numbers"], batch["absent"].float(), *words], dim=1))
    for block in model.blocks:
        normed = F.layer_norm(x, (16,), block.norm.weight, block.norm.bias)
        x = x + block.down_proj(F.relu(block.up_proj(normed)))
    normed = F.layer_norm(x, (16,), model.norm.weight, model.norm.bias)
    wanted = model.label_head(F.relu(normed))
    torch.testing.assert_close(model(batch)["label"], wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("everything", [False, True], ids=["label", "everything"])
@pytest.mark.parametrize("topology", PARTS_OF)
def test_generated_source_equals_the_parts(topology, everything, batch):
    given = {f"gives_{name}": everything for name in ("value", "embedding", "cells")}
    config = config_of(**SIZES, **given)
    ours = part(PARTS_OF[topology]).build_model(config)
    made = generated_package(topology, config).build_model(config)
    made.load_state_dict(ours.state_dict())
    got, wanted = made(batch), ours(batch)
    assert got.keys() == wanted.keys()
    for name, output in got.items():
        torch.testing.assert_close(output, wanted[name])
    torch.testing.assert_close(made.loss(batch), ours.loss(batch))


def test_surprise_is_counted_at_hidden_cells_that_are_known(batch):
    config = config_of(**SIZES, gives_label=False, gives_cells=True)
    model = randomised(part("tabular_mlp").build_model(config))
    outputs, total, count = model(batch), 0.0, 0
    for r in range(7):
        for j in range(4):
            if batch["hidden"][r, j] and not batch["absent"][r, j]:
                error = outputs["numbers"][r, j] - batch["numbers"][r, j]
                total, count = total + error**2 / 2, count + 1
        for j in range(3):
            word = batch["words"][r, j]
            if batch["hidden"][r, 4 + j] and word > 0:
                total = total - outputs["words"][r, j].log_softmax(-1)[word]
                count += 1
    torch.testing.assert_close(model.loss(batch), total / count)
