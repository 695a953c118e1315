"""How close written texts are to their references."""

import math
from collections import Counter
from collections.abc import Sequence

ORDER = 4  # longest run of words that BLEU compares


def corpus_bleu(outputs: Sequence[str], references: Sequence[str]) -> float:
    """BLEU in [0, 1] over all texts together (Papineni et al. 2002, section 2.3).

    The geometric mean of clipped n-gram precisions up to `ORDER` words, times a penalty for being
    short. Words are what spaces separate; orders that no reference is long enough for are left
    out, and one that nothing matches makes the score zero.
    """
    matches, totals, possible = Counter(), Counter(), Counter()
    written = expected = 0
    for output, reference in zip(outputs, references, strict=True):
        words, right = output.split(), reference.split()
        written, expected = written + len(words), expected + len(right)
        for n in range(1, ORDER + 1):
            mine, theirs = ngrams(words, n), ngrams(right, n)
            matches[n] += (mine & theirs).total()
            totals[n] += mine.total()
            possible[n] += theirs.total()
    orders = [n for n in range(1, ORDER + 1) if possible[n]]
    if not orders or not all(matches[n] for n in orders):
        return 0.0
    precision = sum(math.log(matches[n] / totals[n]) for n in orders) / len(orders)
    return math.exp(min(0.0, 1 - expected / written) + precision)


def ngrams(words: Sequence[str], n: int) -> Counter:
    """Every run of n words, with its count."""
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def exact_share(outputs: Sequence[str], references: Sequence[str]) -> float:
    """The share of texts that are their references to the letter."""
    hits = sum(o == r for o, r in zip(outputs, references, strict=True))
    return hits / len(references)


def token_accuracy(outputs: Sequence[str], references: Sequence[str]) -> float:
    """The share of reference words that stand in their place in the output."""
    hits = total = 0
    for output, reference in zip(outputs, references, strict=True):
        right = reference.split()
        hits += sum(o == r for o, r in zip(output.split(), right, strict=False))
        total += len(right)
    return hits / total
