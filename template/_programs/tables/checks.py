"""What the dimensions of a model of tables must satisfy."""


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    if config.categorical:
        require(config.categories >= 2, "--categories must be at least 2")
    if config.gives_label:
        require(config.num_classes >= 2, "--num-classes must be at least 2")


def require(condition: bool, message: str) -> None:
    """Raise `ValueError` unless the condition holds."""
    if not condition:
        raise ValueError(message)
