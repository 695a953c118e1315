"""What a network over graphs answers depends on the graph and on nothing else."""

import pytest
import torch

from PACKAGE import Config, build_model, synthetic_batch
from PACKAGE.blind import Blind, hidden
from PACKAGE.data import Corpus


def answers(model, batch):
    """Everything a model says of a batch, as one tensor."""
    output = model(batch)
    return torch.cat([x.flatten() for x in output.values()]) if isinstance(output, dict) else output


def test_the_order_of_the_edges_does_not_matter(config):
    model = build_model(config).eval()
    batch = synthetic_batch(config, 2, seed=0)
    order = torch.randperm(batch["edges"].size(1))
    shuffled = batch | {"edges": batch["edges"][:, order]}
    with torch.inference_mode():
        first, second = answers(model, batch), answers(model, shuffled)
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


def test_edges_matter_except_to_the_blind(config):
    model = build_model(config).eval()
    batch = synthetic_batch(config, 2, seed=0)
    with torch.inference_mode():
        seeing, blind = answers(model, batch), answers(Blind(model), batch)
        unseen = answers(model, hidden(batch))
    assert not torch.allclose(seeing, blind, atol=1e-4)
    assert torch.equal(blind, unseen)


def test_a_batch_depends_on_seed_and_step_alone(config):
    corpus = Corpus(config)
    batch, again = corpus.train_batch(5, range(8)), Corpus(config).train_batch(5, range(8))
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    other = corpus.train_batch(6, range(8))
    assert batch["nodes"].shape != other["nodes"].shape or not torch.equal(
        batch["nodes"], other["nodes"]
    )
    halves = [corpus.train_batch(5, rows)["nodes"] for rows in (range(4), range(4, 8))]
    assert torch.equal(batch["nodes"], torch.cat(halves))


def test_no_edge_leaves_its_graph(config):
    batch = Corpus(config).train_batch(0, range(4))
    nodes = batch["nodes"].size(0)
    assert batch["edges"].min() >= 0 and batch["edges"].max() < nodes
    assert batch["degree"].shape == (nodes,)
    arriving = batch["edges"][1].bincount(minlength=nodes)
    assert (arriving <= batch["degree"]).all()


@pytest.mark.parametrize("wrong", [{"num_nodes": 1}], ids=str)
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(ValueError, match="--num-nodes"):
        Config.tiny(**wrong)
