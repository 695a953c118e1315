"""Joining sources: statements and names as syntax trees have them, and nothing that is unused."""

import ast
from textwrap import dedent

import pytest

from metagen.synth.codegen import template_folder
from metagen.synth.imports import merged_imports
from metagen.synth.joining import join_parts
from metagen.synth.statements import defined, is_import, names_in, statements
from metagen.synth.unused import without_unused


@pytest.mark.parametrize("folder", ["_parts", "_programs"])
def test_statements_and_names_are_those_of_the_syntax_tree(folder):
    for path in (template_folder() / folder).rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        nodes = tree.body[ast.get_docstring(tree) is not None :]
        head, *texts = statements(source)
        assert head + "".join(texts) == source, path
        assert len(texts) == len(nodes), path
        for text, node in zip(texts, nodes, strict=True):
            assert is_import(text) == isinstance(node, ast.Import | ast.ImportFrom), (path, text)
            if not is_import(text):
                read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                assert defined(text) == defined_by(node), (path, text)
                assert names_in(text) >= read, (path, text)


def defined_by(node):
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return {node.name}
    targets = {ast.Assign: lambda: node.targets, ast.AnnAssign: lambda: [node.target]}
    found = targets.get(type(node), list)()
    return {n.id for target in found for n in ast.walk(target) if isinstance(n, ast.Name)}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x = a.b(c, d=e)  # f", {"x", "a", "c", "e"}),
        ('x = "a", \'b\', f"{c}", f\'"{d}"\'', {"x", "c", "d", "f"}),
        ('def g(h) -> "K":\n    """Doc."""\n    return h == k', {"def", "h", "K", "return", "k"}),
        ('x = {"a": 1, b: "# no comment", c: d}', {"x", "b", "c", "d", "no", "comment"}),
    ],
)
def test_the_names_in_some_code(source, found):
    assert names_in(source) == found


def test_imports_are_merged_and_ordered():
    sources = [
        "from __future__ import annotations\n\nimport torch\nfrom torch import Tensor, nn\n",
        "import os.path\nimport numpy as np\nfrom .b import (\n    g,\n    f as h,\n)\n",
        "from torch import no_grad, nn\nfrom .inside import g\nfrom .moved import h\nimport idle\n",
    ]
    wanted = {"torch", "nn", "Tensor", "os", "np", "g", "h"}
    assert merged_imports(sources, wanted, {"inside"}, {"moved": "b"}) == dedent("""\
        from __future__ import annotations

        import os.path

        import numpy as np
        import torch
        from torch import Tensor, nn

        from .b import f as h, g, h
    """)


def test_joining_orders_by_dependency_and_drops_what_is_unused():
    parts = {
        "leaf": '"""Leaf."""\n\nimport math\n\nimport torch\n\n\n'
        "def used(x):\n    return math.sqrt(x)\n\n\ndef unused(x):\n    return torch.sin(x)\n",
        "other": "def never():\n    pass\n",
        "top": '"""The model."""\n\nfrom os import path\n\nfrom .leaf import unused, used\n\n'
        "LIMIT = 3\n\n\ndef build():\n    return used(LIMIT)\n",
    }
    assert join_parts(parts, "top", ("build",), {}) == (
        '"""The model."""\n\nimport math\n\n\ndef used(x):\n    return math.sqrt(x)\n\n\n'
        "LIMIT = 3\n\n\ndef build():\n    return used(LIMIT)\n"
    )


def test_functions_that_nothing_names_are_dropped_with_their_imports():
    programs = {
        "a": dedent("""\
            import csv
            from pathlib import Path

            from .b import read

            LEFT = 1  # of nothing
            # Kept: a test reads it.
            RIGHT = 2


            def main(path: Path):
                return read(path)


            def spare(path: Path):
                return csv.reader(path)


            if __name__ == "__main__":
                main(Path("."))
        """),
        "b": "def read(path):\n    return path\n\n\ndef only_spare():\n    return spare_too()\n\n\n"
        "def spare_too():\n    return 1\n",
    }
    kept = without_unused(programs, ["from PACKAGE.a import RIGHT\n"])
    assert kept["a"] == dedent("""\
        from pathlib import Path

        from .b import read

        # Kept: a test reads it.
        RIGHT = 2


        def main(path: Path):
            return read(path)


        if __name__ == "__main__":
            main(Path("."))
    """)
    assert kept["b"] == "def read(path):\n    return path\n"
