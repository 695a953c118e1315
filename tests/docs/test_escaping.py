"""Whatever a user writes comes out as words: never markup, never a broken file."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
import tomllib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from metagen.synth.release import Figure
from metagen.utils import escaping, filters, literals
from metagen.utils.escaping import Prose

HOSTILE = [
    "{total_params}",
    r"\input{/etc/passwd}",
    "<!--=total_params-->",
    "`rm -rf`",
    "<script>alert(1)</script>",
    "[link](javascript:x) ![img](y)",
    "| a | b |",
    "# heading\n\n- item\n1. one",
    "50% of $x_1^2$ & more ~ #7",
    "*bold* _it_ __init__ ~~no~~",
    "a\x00b\x07c\x1b[31m",
    "left\u202eright\u2066x\u200b",
    "?`!`--- ,,x'' <<y>>",
    "日本語 und русский ∞ ≤ 🙂",
    "{{ cookies }} {% raw %} ${HOME} $(id)",
    "\"quoted\" 'single' \\n \\end{document}",
    "1. first",
    "- dash",
    "^^M \\csname x\\endcsname %",
    "x" * 300,
]
anything = st.text(st.characters(codec="utf-8"), max_size=60)
any_string = st.one_of(st.sampled_from(HOSTILE), anything, st.text(max_size=20))
FIGURE = Figure("total_params", 8.03e9, "parameters", "8.03B", "computed", "sum of the tensors")


def bind(text: str, **words: str) -> Prose:
    return Prose.resolve(text, words, {"total_params": FIGURE})


def test_prose_in_markdown_and_latex():
    prose = bind("*{name}* has {total_params} in `a_b.md` [@x2017, @y2018].", name="a_b & <c>")
    assert escaping.md(prose) == (
        "*a_b &amp; &lt;c&gt;* has 8.03B<!--=total_params--> in `a_b.md`."
    )
    assert escaping.tex(prose) == (
        r"\emph{a\_b \& \textless{}c\textgreater{}} has \fig{total_params} in "
        r"\texttt{a\_\allowbreak{}b.\allowbreak{}md}~\citep{x2017,y2018}."
    )
    assert prose.plain == "a_b & <c> has 8.03B in a_b.md."


def test_unknown_placeholder_is_an_error():
    with pytest.raises(KeyError):
        bind("{no_such_key}")


def test_figures_are_marked():
    assert escaping.md(FIGURE) == "8.03B<!--=total_params-->"
    assert escaping.tex(FIGURE) == r"\fig{total_params}"
    assert filters.figure_helper({"total_params": FIGURE})("total_params") == escaping.md(FIGURE)


@given(any_string)
def test_markdown_shows_the_string_and_nothing_else(text):
    parser = MarkdownIt("gfm-like", {"linkify": False, "html": True})
    tokens = parser.parse(escaping.md(text))
    if not escaping.visible(text):
        return
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    kinds = {child.type for child in tokens[1].children}
    assert kinds <= {"text", "text_special"}
    shown = "".join(child.content for child in tokens[1].children)
    assert shown == escaping.visible(text)


@given(st.one_of(any_string, st.text("# \\", max_size=6)))
def test_a_heading_shows_the_whole_string(text):
    """A heading may end in number signs that Markdown takes for its own."""
    tokens = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(
        f"# Title: {escaping.md(text)}"
    )
    assert [token.type for token in tokens] == ["heading_open", "inline", "heading_close"]
    shown = "".join(child.content for child in tokens[1].children)
    assert shown == f"Title: {escaping.visible(text)}".strip()


@given(any_string)
def test_user_strings_in_prose_are_inert(text):
    prose = bind("The {name}.", name=text)
    assert "<!--" not in escaping.md(prose)
    assert r"\fig{" not in escaping.tex(prose).replace(r"\textbackslash{}", "")


@given(any_string)
def test_markdown_code_span_holds_the_string(text):
    [paragraph] = MarkdownIt().parseInline(f"a {escaping.md_code(text)} b")
    code = [child for child in paragraph.children if child.type == "code_inline"]
    assert len(code) == 1
    assert code[0].content.replace("\\|", "|").strip() == escaping.visible(text)


@given(any_string)
def test_latex_has_only_known_commands(text):
    out = escaping.tex(text)
    assert out.isascii() or all(c in escaping._T1_LETTERS for c in out if not c.isascii())
    bare = re.sub(r"\\(?:text[a-z]+|ldots|[a-zA-Z]+)\{", "{", out)
    bare = re.sub(r"\\ensuremath|\\[a-zA-Z]+|\^\d|\\[{}$&#%_,]", "", bare)
    assert not re.search(r"[\\$&#%_^]", bare)
    assert bare.count("{") == bare.count("}")


@given(any_string)
def test_json_literal(text):
    assert json.loads(literals.json({text: [text]})) == {text: [text]}


@given(any_string)
def test_yaml_literal(text):
    whole = re.sub("[\ud800-\udfff]", "\ufffd", text)
    assert yaml.safe_load(literals.yaml({"k": text, "l": [text, {"m": text}]})) == {
        "k": whole,
        "l": [whole, {"m": whole}],
    }


@given(any_string)
def test_toml_literal(text):
    whole = re.sub("[\ud800-\udfff]", "\ufffd", text)
    assert tomllib.loads(f"k = {literals.toml(text)}")["k"] == whole


@given(any_string)
def test_python_literals(text):
    literal = literals.py(text)
    assert ast.literal_eval(literal) == text
    assert literal.isprintable() or not text.isprintable()
    assert "\n" not in literal
    module = ast.parse(f'"""{literals.pydoc(text)} """')
    assert ast.get_docstring(module, clean=False) == escaping.visible(text) + " "


@given(any_string)
def test_shell_words(text):
    whole = re.sub("[\ud800-\udfff]", "\ufffd", text).replace("\0", "")
    assert shlex.split(literals.sh(text)) == [whole]
    assert "\n" not in literals.comment(text)


def test_plain_documents_round_trip():
    document = {
        "name": "x: y",
        "empty": {},
        "none": None,
        "flags": [True, False],
        "numbers": [1, 2.5, 1e-5, 3e20, 10**30],
        "rows": [{"a": 1, "b": {"c": [1, [2, 3]]}}, {"a": "no", "b": []}, [], [[1], [2]]],
        "no": "yes",
        "long": ["a long enough word number " + str(i) for i in range(9)],
        "comma": ["a, b", "c"],
    }
    assert yaml.safe_load(literals.yaml(document)) == document
    assert json.loads(literals.json(document)) == document
    assert literals.yaml({"a": [1, 2], "b": {"c": "d"}}) == "a: [1, 2]\nb:\n  c: d"


def test_infinity_is_msl_s_word_for_it_and_nan_is_refused():
    assert literals.json({"a": float("inf")}) == '{\n  "a": "∞"\n}'
    assert literals.yaml({"a": float("inf")}) == 'a: "∞"'
    with pytest.raises(ValueError, match="not a number"):
        literals.json(float("nan"))


@pytest.mark.skipif(not shutil.which("latexmk"), reason="latexmk is not installed")
def test_hostile_strings_compile(tmp_path):
    lines = "\n\n".join(escaping.tex(text) for text in HOSTILE)
    everything = "".join(map(chr, [*range(32, 127), *range(0xA0, 0x250), *range(0x370, 0x400)]))
    everything += "".join((*escaping._TEX, *escaping._TEX_MATH))
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{lmodern,textcomp,amssymb}"
        "\\newcommand\\listline[2]{{\\ttfamily #2\\par}}"
        f"\\begin{{document}}{lines}\n\n{escaping.tex(everything)}\n\n"
        f"{escaping.tex_listing(everything)}\\end{{document}}",
        encoding="utf-8",
    )
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert run.returncode == 0, run.stdout[-2000:]
    assert "Missing character" not in run.stdout
