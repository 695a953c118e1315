"""Command-line flags from the configuration: one for each field, its docstring as the help."""

import argparse
import ast
import inspect
from dataclasses import fields

import torch

from .config import Config


def whole_numbers(text: str) -> tuple[int, ...]:
    """Numbers between commas."""
    return tuple(int(number) for number in text.split(","))


#: How the text of a flag is read, and what its help calls it, by the type of the field.
KINDS = {
    "int": (int, "INT"),
    "float": (float, "FLOAT"),
    "str": (str, "STR"),
    "tuple[int, ...]": (whole_numbers, "INT,..."),
}


def config_parser(description: str) -> argparse.ArgumentParser:
    """A parser with `--preset` and a flag for every field of `Config`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--preset", choices=("tiny", "full"), help="default: full with a GPU, tiny without"
    )
    settings = parser.add_argument_group("settings", "defaults come from the preset")
    help_texts = field_docstrings()
    for field in fields(Config):
        flag = "--" + field.name.replace("_", "-")
        options = {"default": argparse.SUPPRESS, "help": help_texts[field.name]}
        if field.type == "bool":
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["type"], options["metavar"] = KINDS[field.type]
        settings.add_argument(flag, **options)
    return parser


def read_config(args: argparse.Namespace) -> Config:
    """The configuration that parsed flags ask for."""
    overrides = overridden(args)
    return Config.preset(args.preset or default_preset(), **overrides)


def overridden(args: argparse.Namespace) -> dict:
    """The fields of `Config` that were given as flags."""
    names = {field.name for field in fields(Config)}
    return {name: value for name, value in vars(args).items() if name in names}


def default_preset() -> str:
    """`full` where there is a GPU, else `tiny`."""
    return "full" if torch.cuda.is_available() else "tiny"


def field_docstrings() -> dict[str, str]:
    """The string below each field of `Config`, by the field's name."""
    body = ast.parse(inspect.getsource(Config)).body[0].body
    return {
        field.target.id: text.value.value
        for field, text in zip(body, body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }
