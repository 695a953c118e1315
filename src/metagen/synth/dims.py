"""The dimensions of the decoder language model: names, types, defaults, and what fits together.

The names are those of published configurations; `architecture.dims` takes any of them and
`blueprint/architecture.yaml` states all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ..specs.errors import Problem

#: Bytes and the end-of-document token: the least that any tokenizer of a text model needs.
MIN_VOCAB = 257


@dataclass(frozen=True)
class Dim:
    """One dimension or structural switch.

    Attributes:
        default: its value when neither pinned nor solved for; `None` if the solver finds it.
        doc: what it means, for the documentation.
        choices: the allowed words of a switch.
        low, high: the closed range of a number.
        switch: whether generated code is specialised on it instead of reading it from `Config`.
    """

    default: Any
    doc: str
    choices: tuple[str, ...] = ()
    low: float = 1
    high: float = 2**24
    switch: bool = False


def _switch(default: Any, doc: str, *choices: str) -> Dim:
    return Dim(default, doc, choices, switch=True)


DIMS: Mapping[str, Dim] = {
    "vocab_size": Dim(None, "rows of the embedding", low=MIN_VOCAB),
    "d_model": Dim(None, "width of the residual stream", low=8, high=2**18),
    "n_layers": Dim(None, "number of blocks", high=2048),
    "n_heads": Dim(None, "query heads", high=4096),
    "n_kv_heads": Dim(None, "key and value heads; divides `n_heads`", high=4096),
    "head_dim": Dim(None, "width of one head", low=2, high=4096),
    "d_ff": Dim(None, "hidden width of the MLP", high=2**20),
    "mlp": _switch("gated", "feed-forward shape", "gated", "plain"),
    "activation": _switch(
        "silu", "feed-forward nonlinearity", "silu", "gelu", "gelu_new", "gelu_tanh", "relu"
    ),
    "norm": _switch("rmsnorm", "normalisation layer", "rmsnorm", "layernorm"),
    "norm_bias": _switch(False, "whether LayerNorm has a bias"),
    "norm_eps": Dim(1e-5, "epsilon of the normalisation layers", low=1e-12, high=1.0),
    "norms_per_layer": Dim(
        2, "1: shared by a parallel block; 2: one per sublayer; 4: before and after", switch=True,
        high=4,
    ),
    "final_norm": _switch(True, "normalise before the output head"),
    "qk_norm": _switch("none", "RMSNorm on queries and keys", "none", "per_head", "full"),
    "pos": _switch("rope", "position encoding", "rope", "learned", "none"),
    "pos_rows": Dim(0, "rows of the learned position table; 0 without one", low=0),
    "max_pos": Dim(None, "longest context, in tokens (alias `context_length`)"),
    "rope_theta": Dim(None, "base of the rotary frequencies", high=1e12),
    "rotary_pct": Dim(1.0, "share of each head that is rotated", low=0.0, high=1.0, switch=True),
    "sliding_window": Dim(0, "visible positions of a windowed attention; 0 for all", low=0),
    "attn_qkv_bias": _switch(False, "biases on the query, key and value projections"),
    "attn_out_bias": _switch(False, "bias on the attention output projection"),
    "mlp_bias": _switch(False, "biases in the MLP"),
    "lm_head_bias": _switch(False, "bias on the output head"),
    "tied": _switch(None, "output head shares the embedding"),
    "parallel_block": _switch(False, "attention and MLP read the same input"),
    "post_norm": _switch(False, "norms on sublayer outputs instead of inputs"),
    "embed_norm": _switch(False, "normalise the embeddings"),
    "embed_scale": _switch(False, "multiply embeddings by the square root of `d_model`"),
}  # fmt: skip

ALIASES = {"context_length": "max_pos", "n_positions": "max_pos"}

#: Accepted and recorded, without effect: the class whose configuration the dims were taken from.
LABELS = ("arch",)

_BOOLEAN = {name for name, dim in DIMS.items() if isinstance(dim.default, bool)} | {"tied"}
_REAL = {"norm_eps", "rope_theta", "rotary_pct"}


def read_pins(stated: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The pinned dimensions under their own names, and everything wrong with them."""
    pins: dict[str, Any] = {}
    problems: list[Problem] = []
    for written, value in stated.items():
        name = ALIASES.get(written, written)
        path = f"architecture.dims.{written}"
        if name in LABELS or value is None:
            continue
        dim = DIMS.get(name)
        if dim is None:
            near = get_close_matches(written, [*DIMS, *ALIASES], n=1)
            problems.append(
                Problem(
                    path,
                    f'unknown dimension "{written}"',
                    allowed=", ".join(DIMS),
                    suggestion=near[0] if near else None,
                )
            )
        elif error := _mismatch(name, dim, value):
            problems.append(Problem(path, f"{value!r} is not {error[0]}", allowed=error[1]))
        else:
            pins[name] = value
    return pins, problems or _contradictions(pins)


def _mismatch(name: str, dim: Dim, value: Any) -> tuple[str, str] | None:
    """What `value` fails to be, and what is allowed; None when it fits."""
    if name in _BOOLEAN:
        return None if isinstance(value, bool) else ("true or false", "true, false")
    if dim.choices:
        allowed = ", ".join(dim.choices)
        return None if value in dim.choices else (f"a {name.replace('_', ' ')}", allowed)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = number and (name in _REAL or float(value).is_integer())
    if not whole or not dim.low <= value <= dim.high:
        kind = "a number" if name in _REAL else "a whole number"
        return kind + " in range", f"{kind} from {dim.low:g} to {dim.high:,.0f}"
    if name == "norms_per_layer" and value == 3:
        return "a number of norms", "1, 2, 4"
    return None


def _contradictions(pins: Mapping[str, Any]) -> list[Problem]:
    """Pairs of pinned dimensions that no model can have at once."""
    get = pins.get
    problems = []

    def refuse(name: str, message: str, allowed: str | None = None) -> None:
        problems.append(Problem(f"architecture.dims.{name}", message, allowed=allowed))

    if get("n_heads") and get("n_kv_heads") and pins["n_heads"] % pins["n_kv_heads"]:
        refuse("n_kv_heads", f"{pins['n_kv_heads']} does not divide n_heads ({pins['n_heads']})")
    if get("norms_per_layer") == 1 and not get("parallel_block"):
        refuse("norms_per_layer", "1 norm per layer needs parallel_block: true", "2, 4")
    if get("norms_per_layer") == 4 and (get("parallel_block") or get("post_norm")):
        refuse("norms_per_layer", "4 norms per layer exclude parallel_block and post_norm", "1, 2")
    if get("post_norm") and get("parallel_block"):
        refuse("post_norm", "post_norm and parallel_block exclude each other")
    if get("norm_bias") and get("norm", "rmsnorm") == "rmsnorm":
        refuse("norm_bias", "RMSNorm has no bias", "false, or norm: layernorm")
    if get("pos_rows") and get("pos", "rope") != "learned":
        refuse("pos_rows", "a position table needs pos: learned", "0")
    head_dim = get("head_dim")
    if head_dim and get("pos", "rope") == "rope" and rotated(head_dim, get("rotary_pct", 1.0)) < 2:
        refuse(
            "rotary_pct", "rotates less than one pair of features", "a larger share, or pos: none"
        )
    return problems


def rotated(head_dim: int, rotary_pct: float) -> int:
    """Features of each head that the rotary embedding turns; always even."""
    return int(head_dim * rotary_pct) // 2 * 2
