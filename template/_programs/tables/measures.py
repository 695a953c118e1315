"""How good the answers about held-out rows are."""

from torch import Tensor, nn

from .data import Corpus
from .parallel import Workers
from .scores import Score, Tensors, answered


def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out rows, in every process the same."""
    batches = corpus.val_batches(corpus.config.micro_batch, limit)
    if corpus.config.gives_cells:
        from .oddness import oddities

        def odd(batch: dict[str, Tensor]) -> Tensors:
            return oddities(model, batch, corpus.config)

        found, loss, rows = answered(model, batches, workers, odd)
    else:
        found, loss, rows = answered(model, batches, workers)
    right = {name: tensor[:rows] for name, tensor in corpus.val.items()}
    return Score(loss, rows, measure(found, right, corpus))


def measure(found: Tensors, right: Tensors, corpus: Corpus) -> dict[str, float]:
    """How good outputs are; values are measured in their own units, the mean over targets."""
    measures = {}
    if corpus.config.gives_label:
        hits = found["label"].argmax(dim=-1) == right["labels"]
        measures["accuracy"] = hits.float().mean().item()
    if corpus.config.gives_value:
        scale = found["value"].new_tensor([c.deviation for c in corpus.columns.values])
        errors = (found["value"] - right["values"]).abs() * scale
        measures["mean absolute error"] = errors.mean().item()
        unexplained = (found["value"] - right["values"]).square().mean(dim=0)
        variance = right["values"].var(dim=0, correction=0).clamp(min=1e-9)
        measures["R2"] = (1 - unexplained / variance).mean().item()
    if corpus.config.gives_embedding:
        cosines = (found["embedding"] @ found["embedding"].T).fill_diagonal_(-2.0)
        nearest = right["groups"][cosines.argmax(dim=1)]
        measures["recall@1"] = (nearest == right["groups"]).float().mean().item()
    if corpus.config.gives_cells:
        from .oddness import roc_area

        measures["ROC area"] = roc_area(found["mixed"], found["own"])
    return measures


def baselines(corpus: Corpus) -> dict[str, tuple[str, Score]]:
    """A linear model, fitted here, and what needs no model: by prefix, their names and scores."""
    names, answers = trivial_answers(corpus)
    rows, found = len(corpus.val_rows), {}
    if corpus.config.gives_label or corpus.config.gives_value or corpus.config.gives_embedding:
        from .linear import linear_answers, linear_names

        best = measure(answers | linear_answers(corpus), corpus.val, corpus)
        found["linear"] = linear_names(corpus.config), Score(None, rows, best)
    least = measure(answers, corpus.val, corpus)
    if corpus.config.gives_embedding:
        groups = corpus.val["groups"]
        same = (groups[:, None] == groups).sum(dim=1) - 1  # (B,)
        least["recall@1"] = (same / max(1, rows - 1)).mean().item()
    found["trivial"] = names, Score(None, rows, least)
    return found


def trivial_answers(corpus: Corpus) -> tuple[str, dict[str, Tensor]]:
    """What is said of held-out rows without looking at them, and who says it."""
    names, answers = [], {}
    if corpus.config.gives_label:
        counts = corpus.train["labels"].bincount(minlength=corpus.config.num_classes)
        answers["label"] = counts.float().expand(len(corpus.val_rows), -1)
        names.append("majority class")
    if corpus.config.gives_value:
        answers["value"] = corpus.val["values"] * 0.0
        names.append("mean")
    if corpus.config.gives_embedding:
        answers["embedding"] = corpus.val["numbers"].new_ones(len(corpus.val_rows), 1)
        names.append("chance")
    if corpus.config.gives_cells:
        from .oddness import mixed

        for name, batch in (("own", corpus.val), ("mixed", mixed(corpus.val))):
            distance = batch["numbers"].square() * ~batch["absent"]
            answers[name] = distance.mean(dim=1)
        names.append("distance from the means")
    return ", ".join(names), answers
