"""Print the shapes that the solver finds for thirty budgets, where no other constraint binds.

    python benchmarks/budget_table.py

docs/budgets.md shows the same table; `make docs` renews it.
"""

from __future__ import annotations

from metagen import load_spec
from metagen.synth.architecture import blueprint
from metagen.synth.routing import route
from metagen.utils.formatting import count, percent

BUDGETS = (
    *("1M", "2M", "3M", "5M", "8M", "12M", "20M", "30M", "50M", "80M"),
    *("125M", "160M", "250M", "350M", "500M", "800M", "1B", "1.5B", "2B", "3B"),
    *("4B", "7B", "8B", "13B", "20B", "34B", "70B", "120B", "200B", "400B"),
)
HEADINGS = (
    *("budget", "parameters", "filled", "layers", "width", "heads", "kv heads", "head dim"),
    *("feed-forward", "vocabulary", "tied", "width/layers"),
)


def row(budget: str) -> tuple[str, ...]:
    """One line of the table."""
    spec = load_spec(
        {
            "metagen_version": "1.0",
            "name": "budget",
            "modality": {"inputs": ["text"], "outputs": ["text"]},
            "constraints": {
                "latency": "offline",
                "memory_budget": "∞",
                "context_window": "8k",
                "parameter_budget": {"max": budget},
            },
        }
    )
    design = blueprint(spec, route(spec)[0]).design
    dims, params = design.dims, design.model.count()
    return (
        budget,
        count(params),
        percent(params / spec.constraints.parameter_budget.max.value),
        *(str(dims[name]) for name in ("n_layers", "d_model", "n_heads", "n_kv_heads", "head_dim")),
        str(dims["d_ff"]),
        str(dims["vocab_size"]),
        "yes" if dims["tied"] else "no",
        f"{dims['d_model'] / dims['n_layers']:.0f}",
    )


def table() -> str:
    """The table in Markdown."""
    lines = [f"| {' | '.join(HEADINGS)} |", f"|{'---:|' * len(HEADINGS)}"]
    lines += [f"| {' | '.join(row(budget))} |" for budget in BUDGETS]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
