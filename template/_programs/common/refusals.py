"""How settings that do not fit together are refused."""


def require(condition: bool, message: str) -> None:
    """Raise `ValueError` unless the condition holds."""
    if not condition:
        raise ValueError(message)
