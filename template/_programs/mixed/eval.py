"""Evaluate a trained model on held-out samples, beside what needs no model.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Every output is measured beside a constant one: the commonest word or class,
the mean, the unigram model of texts, points of all clouds; embeddings beside chance. The loss is
the sum over the outputs.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .data import LEARNED_FROM, Corpus, prepare
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser
from .scores import Score

Tensors = Mapping[str, Tensor]


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out samples, in every process the same."""
    total, samples = 0.0, 0
    pieces: list[dict[str, Tensor]] = []
    training = model.training
    model.eval()
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        moved = workers.move(batch)
        with workers.autocast():
            outputs, loss = model(moved), model.loss(moved)
        size = len(next(iter(batch.values())))
        total, samples = total + loss.item() * size, samples + size
        pieces.append({name: output.float().cpu() for name, output in outputs.items()})
    model.train(training)
    found = {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}
    return Score(total / samples, samples, measure(found, targets_of(corpus, limit), corpus.config))


def targets_of(corpus: Corpus, limit: int | None) -> dict[str, Tensor]:
    """What is right for the first `limit` held-out samples."""
    return answers(corpus.targets(corpus.val[:limit]), corpus.config)


def answers(right: dict[str, Tensor], config: Config) -> dict[str, Tensor]:
    """Targets in the form in which the model gives them; keys keep `target_`."""
    if config.gives_audio:
        from .spectra import spectrogram

        right["target_audio"] = spectrogram(right["target_audio"], config)
    return right


def measure(found: Tensors, right: Tensors, config: Config) -> dict[str, float]:
    """How good outputs are: shares that are right, or errors in squared deviations."""
    measures = {}
    if config.gives_label:
        hits = found["label"].argmax(dim=-1) == right["target_label"]
        measures["accuracy of the label"] = hits.float().mean().item()
    if config.gives_action:
        if config.actions == "discrete":
            hits = found["action"].argmax(dim=-1) == right["target_action"]
            measures["accuracy of the action"] = hits.float().mean().item()
        else:
            error = F.mse_loss(found["action"], right["target_action"])
            measures["error of the action"] = error.item()
    if config.gives_value:
        measures["error of the value"] = F.mse_loss(found["value"], right["target_value"]).item()
    if config.gives_tabular:
        error = F.mse_loss(found["tabular"], right["target_tabular"])
        measures["error of the row"] = error.item()
    if config.gives_state:
        measures["error of the state"] = F.mse_loss(found["state"], right["target_state"]).item()
    if config.gives_embedding:
        cosines = (found["embedding"] @ found["embedding"].T).fill_diagonal_(-2.0)
        groups = right["target_embedding"]
        nearest = groups[cosines.argmax(dim=1)]
        measures["recall@1 of the embedding"] = (nearest == groups).float().mean().item()
    if config.gives_time_series:
        error = F.mse_loss(found["time_series"], right["target_time_series"])
        measures["error of the series"] = error.item()
    if config.gives_bounding_boxes:
        present = right["target_box_present"]
        shares = overlap(found["bounding_boxes"][..., :4], right["target_boxes"])  # (N, K)
        told = shares * (found["bounding_boxes"][..., 4] > 0)
        measures["overlap of boxes"] = told[present].mean().item()
    if config.gives_3d:
        gaps = (nearest_gap(a, b) for a, b in zip(found["3d"], right["target_points"], strict=True))
        measures["distance of points"] = torch.stack(list(gaps)).mean().item()
    if config.gives_graph:
        present = right["target_present"]
        errors = (found["nodes"][..., :-1] - right["target_nodes"]).square()
        measures["error of nodes"] = errors[present].mean().item()
        measures["overlap of edges"] = link_overlap(found, right)
    if config.gives_image:
        measures["error of the picture"] = F.mse_loss(found["image"], right["target_image"]).item()
    if config.gives_segmentation_mask:
        measures["overlap of the mask"] = mask_overlap(
            found["segmentation_mask"].argmax(dim=1), right["target_mask"], config.num_classes
        )
    if config.gives_audio:
        error = F.mse_loss(found["audio"], right["target_audio"])
        measures["error of the spectrogram"] = error.item()
    if config.gives_video:
        measures["error of the clip"] = F.mse_loss(found["video"], right["target_video"]).item()
    if config.gives_text:
        tokens = right["target_tokens"][:, 1:]  # (N, S)
        nats = F.cross_entropy(found["text"].transpose(1, 2), tokens, ignore_index=-1)
        measures["error of the text in nats per token"] = nats.item()
    return measures


def constant(corpus: Corpus, config: Config) -> dict[str, Tensor]:
    """The outputs that fit training samples best without looking at one, (1, ...) each."""
    right = answers(corpus.targets(corpus.train[:LEARNED_FROM]), config)
    found = {}
    if config.gives_label:
        found["label"] = commonest(right["target_label"], config.num_classes)
    if config.gives_action:
        if config.actions == "discrete":
            found["action"] = commonest(right["target_action"], config.num_actions)
        else:
            found["action"] = right["target_action"].mean(dim=0, keepdim=True)
    if config.gives_value:
        found["value"] = right["target_value"].mean(dim=0, keepdim=True)
    if config.gives_tabular:
        found["tabular"] = right["target_tabular"].mean(dim=0, keepdim=True)
    if config.gives_state:
        found["state"] = right["target_state"].mean(dim=0, keepdim=True)
    if config.gives_time_series:
        found["time_series"] = right["target_time_series"].mean(dim=0, keepdim=True)
    if config.gives_bounding_boxes:
        present = right["target_box_present"].float()  # (N, K)
        total = (right["target_boxes"] * present[..., None]).sum(dim=0)
        mean = total / present.sum(dim=0).clamp(min=1)[:, None]  # (K, 4)
        likely = present.mean(dim=0)[:, None] - 0.5  # (K, 1)
        found["bounding_boxes"] = torch.cat((mean, likely), dim=1)[None]
    if config.gives_3d:
        points = right["target_points"].flatten(0, 1)  # (N * P, 3)
        spread = torch.linspace(0, len(points) - 1, right["target_points"].size(1)).long()
        found["3d"] = points[spread][None]
    if config.gives_graph:
        present = right["target_present"].float()
        total = (right["target_nodes"] * present[..., None]).sum(dim=0)
        mean = total / present.sum(dim=0).clamp(min=1)[:, None]  # (N, A)
        found["nodes"] = F.pad(mean, (0, 1))[None]
        found["edges"] = links(right).mean(dim=0, keepdim=True) - 0.5
    if config.gives_image:
        found["image"] = right["target_image"].mean(dim=0, keepdim=True)
    if config.gives_segmentation_mask:
        mask = commonest(right["target_mask"].flatten(), config.num_classes)  # (1, V)
        size = config.image_size
        found["segmentation_mask"] = mask[..., None, None].expand(-1, -1, size, size)
    if config.gives_audio:
        found["audio"] = right["target_audio"].mean(dim=0, keepdim=True)
    if config.gives_video:
        found["video"] = right["target_video"].mean(dim=0, keepdim=True)
    if config.gives_text:
        tokens = right["target_tokens"][:, 1:]
        counts = tokens[tokens >= 0].bincount(minlength=config.vocab_size) + 0.01
        found["text"] = counts.log().expand(1, tokens.size(1), -1)
    return found


def trivial(right: Tensors, corpus: Corpus, config: Config) -> dict[str, float]:
    """The same measures of a constant output; of embeddings, those of chance."""
    count = len(next(iter(right.values())))
    found = {n: x.expand(count, *x.shape[1:]) for n, x in constant(corpus, config).items()}
    if config.gives_embedding:
        found["embedding"] = F.normalize(torch.ones(count, 2), dim=-1)
    measures = measure(found, right, config)
    if config.gives_embedding:
        groups = right["target_embedding"]
        same = (groups[:, None] == groups).sum(dim=1) - 1  # (N,)
        share = (same / max(1, count - 1)).mean().item()
        measures["recall@1 of the embedding"] = share
    return measures


def commonest(places: Tensor, count: int) -> Tensor:
    """The most frequent of `count` places as scores, (1, V)."""
    return F.one_hot(places.bincount(minlength=count).argmax(), count).float()[None]


def overlap(found: Tensor, right: Tensor) -> Tensor:
    """Intersection over union of boxes, (..., 4) with their centres first."""
    low = torch.maximum(*(box[..., :2] - box[..., 2:] / 2 for box in (found, right)))
    high = torch.minimum(*(box[..., :2] + box[..., 2:] / 2 for box in (found, right)))
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = [box[..., 2:].clamp(min=0).prod(dim=-1) for box in (found, right)]
    return shared / (sum(areas) - shared).clamp(min=1e-9)


def nearest_gap(found: Tensor, right: Tensor) -> Tensor:
    """Mean distance from each point to the nearest of the other cloud, both ways."""
    gaps = torch.cdist(found, right)  # (P, P)
    return (gaps.amin(dim=0).mean() + gaps.amin(dim=1).mean()) / 2


def links(right: Tensors) -> Tensor:
    """Edges as tables, (B, N, N)."""
    pairs, count = right["target_edges"], right["target_present"].size(1)
    tables = torch.zeros(len(pairs), count, count)
    for table, edges in zip(tables, pairs, strict=True):
        there = edges[edges[:, 0] >= 0]
        table[there[:, 0], there[:, 1]] = 1.0
    return tables


def link_overlap(found: Tensors, right: Tensors) -> float:
    """Edges that are both found and there, as a share of those that are either."""
    present = right["target_present"]
    both = present[:, :, None] & present[:, None]  # (B, N, N)
    said, there = (found["edges"] > 0) & both, links(right).bool()
    return ((said & there).sum() / (said | there).sum().clamp(min=1)).item()


def mask_overlap(found: Tensor, right: Tensor, classes: int) -> float:
    """Mean intersection over union of the classes that are there."""
    shares = []
    for name in range(classes):
        said, there = found == name, right == name
        if there.any():
            shares.append((said & there).sum() / (said | there).sum())
    return torch.stack(shares).mean().item()


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out samples."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    ours = score(model, corpus, workers)
    theirs = trivial(targets_of(corpus, None), corpus, config)
    leave_workers(workers)
    figures = {"steps": steps, "samples": ours.samples, "loss": ours.loss}
    for name, value in ours.measures.items():
        key = name.replace(" ", "_").replace("@", "_")
        figures |= {key: value, f"trivial_{key}": theirs[name]}
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {ours.samples:,} samples",
        columns=("measure", "this model", "trivial predictor", "better"),
        rows=tuple((n, v, theirs[n], better(n)) for n, v in ours.measures.items()),
        figures=figures,
    )


def better(name: str) -> str:
    """Whether more or less of a measure is better."""
    return "more" if name.startswith(("accuracy", "recall", "overlap")) else "less"


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
