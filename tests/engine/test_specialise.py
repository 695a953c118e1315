"""Specialising source: folded conditions leave no trace, the rest stays as it was written."""

from textwrap import dedent

import pytest

from metagen.synth.specialise import literal, specialise

SWITCHES = {"gated": True, "norm": "rmsnorm", "copies": 2, "biased": False}


def folded(source: str) -> str:
    return specialise(dedent(source), SWITCHES)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = f(bias=config.biased)\n", "x = f(bias=False)\n"),
        ('x = 1 if config.norm == "rmsnorm" else 2\n', "x = 1\n"),
        ("x = (a if config.biased else b)\n", "x = b\n"),
        ("x = f(a if config.biased else b)\n", "x = f(b)\n"),
        ("x = (a + b if config.gated else b) * c\n", "x = (a + b) * c\n"),
        ("x = config.gated and a\n", "x = a\n"),
        ("x = config.gated and a and b\n", "x = a and b\n"),
        ("x = config.biased or a\n", "x = a\n"),
        ("x = config.biased and a\n", "x = False\n"),
        ("x = not config.gated\n", "x = False\n"),
        ('x = config.norm in ("rmsnorm", "layernorm")\n', "x = True\n"),
        ("x = config.copies > 1\n", "x = True\n"),
        ("x = other.gated\n", "x = other.gated\n"),
        ("x = config.width\n", "x = config.width\n"),
        ('x = "é", config.copies\n', 'x = "é", 2\n'),
        ("return_value = (config.copies)\n", "return_value = 2\n"),
    ],
)
def test_expressions(before, after):
    assert folded(before) == after


def test_a_taken_branch_is_dedented_with_its_comments():
    source = """
        def f(self):
            if self.config.gated:
                # why
                x = 1
                if y:
                    x = 2
                # afterwards
            else:
                # never
                x = 3
            return x
    """
    assert folded(source) == dedent("""
        def f(self):
            # why
            x = 1
            if y:
                x = 2
            # afterwards
            return x
    """)


def test_a_dead_branch_goes_with_the_comment_above_it():
    source = """
        def f():
            a = 1

            # only with biases
            if config.biased:
                a = 2

            return a
    """
    assert folded(source) == dedent("""
        def f():
            a = 1

            return a
    """)


def test_the_else_branch_is_taken():
    source = """
        if config.biased:
            x = 1
        else:
            x = 2  # kept
    """
    assert folded(source) == "\nx = 2  # kept\n"


@pytest.mark.parametrize(
    ("norm", "kept"), [("a", "x = 1"), ("b", "x = 2"), ("c", "x = 3"), ("d", "x = 4")]
)
def test_chains_keep_one_branch(norm, kept):
    source = dedent("""
        if config.norm == "a":
            x = 1
        elif config.norm == "b":
            x = 2
        elif config.norm == "c":
            x = 3
        else:
            x = 4
    """)
    assert specialise(source, {"norm": norm}).strip() == kept


def test_a_decided_elif_leaves_the_open_conditions():
    source = dedent("""
        if open_question:
            x = 1
        elif config.gated:
            x = 2
        else:
            x = 3
    """)
    assert specialise(source, {"gated": True}) == dedent("""
        if open_question:
            x = 1
        else:
            x = 2
    """)
    assert specialise(source, {"gated": False}) == dedent("""
        if open_question:
            x = 1
        else:
            x = 3
    """)


def test_an_unread_config_is_not_kept():
    source = """
        class A:
            def __init__(self, config):
                self.config = config
                self.x = 1

            def f(self):
                if self.config.gated:
                    return 1
                return 2
    """
    assert "config = config" not in folded(source)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (32768, "32_768"),
        (1e4, "10000.0"),
        (500000.0, "500_000.0"),
        (3e-4, "0.0003"),
        ("a", '"a"'),
        (True, "True"),
        (None, "None"),
        ((1, 2), "(1, 2)"),
        ((1,), "(1,)"),
    ],
)
def test_literals(value, text):
    assert literal(value) == text


def test_blank_lines_survive_folding():
    source = "def f(config):\n    if config.tied:\n        a = 1\n\n        b = 2\n"
    assert specialise(source, {"tied": True}) == "def f(config):\n    a = 1\n\n    b = 2\n"


def test_a_constant_in_reserve_is_no_condition():
    source = "a = config.tied\nb = width or 1.0\nc = name or ()\n"
    assert specialise(source, {"tied": True}) == "a = True\nb = width or 1.0\nc = name or ()\n"


def test_what_follows_a_way_out_is_dropped():
    source = """
        def f(self):
            if config.gated:
                return 1
            x = 2  # never
            return x


        def g(self):
            for x in y:
                if config.biased:
                    pass
                else:
                    continue
                z(x)
            return y
    """
    assert folded(source) == dedent("""
        def f(self):
            return 1


        def g(self):
            for x in y:
                continue
            return y
    """)
