"""How far transcripts are from what was said."""

from collections.abc import Sequence


def distance(output: Sequence, reference: Sequence) -> int:
    """Insertions, deletions and substitutions between two sequences (Levenshtein 1966)."""
    row = list(range(len(reference) + 1))
    for i, mine in enumerate(output, 1):
        diagonal, row[0] = row[0], i
        for j, theirs in enumerate(reference, 1):
            best = min(row[j] + 1, row[j - 1] + 1, diagonal + (mine != theirs))
            diagonal, row[j] = row[j], best
    return row[-1]


def character_error_rate(outputs: Sequence[str], references: Sequence[str]) -> float:
    """Edits of characters over the characters that were said, of all texts together."""
    edits = sum(distance(o, r) for o, r in zip(outputs, references, strict=True))
    return edits / sum(map(len, references))


def word_error_rate(outputs: Sequence[str], references: Sequence[str]) -> float:
    """Edits of words over the words that were said, of all texts together."""
    edits = sum(distance(o.split(), r.split()) for o, r in zip(outputs, references, strict=True))
    return edits / sum(len(r.split()) for r in references)
