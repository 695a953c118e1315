"""What the dimensions of a decision transformer must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(
        config.context_steps <= config.max_episode,
        "--context-steps is above --max-episode: no episode is that long",
    )
    if config.actions == "discrete":
        require(config.num_actions > 1, "--num-actions must be at least 2")
