"""Text that reaches a document goes through the filter of its language here.

Three kinds of value arrive: a plain string (somebody's words: escaped whole, so that nothing in it
is ever markup), a `Figure` of the ledger (printed with the mark that `make verify` checks) and a
`Prose` (our own sentences, in which placeholders have been resolved to the first two).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from .literals import codepoint, visible

# -- prose -----------------------------------------------------------------------------------------

Kind = Literal["text", "word", "figure", "code", "cite", "emphasis"]

_TOKEN = re.compile(r"\{(\w+)\}|`([^`]+)`|\[@([\w\-, @]+)\]|(\*)")


@dataclass(frozen=True)
class Piece:
    """A run of prose: our text, a user's word, a figure's text, code, citation keys or a `*`."""

    kind: Kind
    value: str
    key: str = ""


class Prose(str):
    """Sentences of ours with `{placeholders}`, `*emphasis*`, `` `code` `` and `[@citations]`.

    As a string it is the unresolved text; `pieces` is what it says.
    """

    pieces: tuple[Piece, ...]

    @classmethod
    def resolve(cls, text: str, words: Mapping[str, str], figures: Mapping[str, Any]) -> Prose:
        """Bind `text` to a release; an unknown placeholder is a `KeyError`."""
        prose = cls(text)
        prose.pieces = tuple(_pieces(text, words, figures))
        return prose

    @classmethod
    def joined(cls, sentences: Iterable[Prose]) -> Prose:
        """Sentences one after the other, a space between them."""
        sentences = tuple(sentences)
        prose = cls(" ".join(sentences))
        pieces = [piece for s in sentences for piece in (Piece("text", " "), *s.pieces)]
        prose.pieces = tuple(pieces[1:])
        return prose

    @classmethod
    def code(cls, text: str) -> Prose:
        """A name of ours, set as code."""
        return cls.resolve(f"`{text}`", {}, {})

    @property
    def plain(self) -> str:
        """The words alone, without markup or citations."""
        return "".join(p.value for p in self.pieces if p.kind not in ("emphasis", "cite"))


def _pieces(text: str, words: Mapping[str, str], figures: Mapping[str, Any]) -> Iterator[Piece]:
    end = 0
    for match in _TOKEN.finditer(text):
        before = text[end : match.start()]
        end = match.end()
        key, code, cited, star = match.groups()
        if cited:
            before = before.rstrip(" ")
        if before:
            yield Piece("text", before)
        if key and key in figures:
            yield Piece("figure", figures[key].text, key)
        elif key:
            yield Piece("word", visible(words[key]), key)
        elif code:
            yield Piece("code", code)
        elif cited:
            yield Piece("cite", ",".join(part.strip(" @") for part in cited.split(",")))
        elif star:
            yield Piece("emphasis", star)
    if text[end:]:
        yield Piece("text", text[end:])


def _is_figure(value: Any) -> bool:
    return hasattr(value, "provenance") and hasattr(value, "key")


# -- Markdown --------------------------------------------------------------------------------------

_MD_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MD_SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)")
_MD_EDGES = re.compile(r"^(\d{1,9})(?=[.)](?: |$))|^(?=[#+=\-])|(?<= )(?=#+$)")


def md(value: Any) -> str:
    """Inline Markdown: figures marked for `make verify`, prose resolved, anything else inert."""
    if isinstance(value, Prose):
        return "".join(map(_md_piece, value.pieces))
    if _is_figure(value):
        return f"{_md_words(value.text)}<!--={value.key}-->"
    return _MD_EDGES.sub(lambda match: (match.group(1) or "") + "\\", _md_words(value))


def _md_words(value: Any) -> str:
    text = re.sub("[&<>]", lambda match: _MD_ENTITIES[match.group()], visible(value))
    return _MD_SPECIAL.sub(lambda match: "\\" + match.group(), text)


def _md_piece(piece: Piece) -> str:
    match piece.kind:
        case "figure":
            return f"{_md_words(piece.value)}<!--={piece.key}-->"
        case "code":
            return f"`{piece.value}`"
        case "emphasis":
            return "*"
        case "cite":
            return ""
        case "word":
            return _md_words(piece.value)
    return piece.value


def md_code(value: Any) -> str:
    """An inline Markdown code span, whatever backticks it holds; pipes are safe in tables."""
    text = visible(value).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    pad = " " if longest or not text else ""
    return f"{'`' * (longest + 1)}{pad}{text}{pad}{'`' * (longest + 1)}"


def md_table(table: Any) -> str:
    """A pipe table from an object with `columns`, `align` (a letter of `lrc` each) and `rows`."""
    rules = {"l": ":---", "r": "---:", "c": ":---:"}
    lines = [table.columns, None, *table.rows]
    return "\n".join(
        "| "
        + " | ".join([rules[a] for a in table.align] if row is None else map(_md_cell, row))
        + " |"
        for row in lines
    )


def _md_cell(cell: Any) -> str:
    return " ".join(map(md, cell)) if isinstance(cell, tuple) else md(cell)


# -- LaTeX -----------------------------------------------------------------------------------------

_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}", "\u00a0": "~", "–": "--", "—": "---", "‘": "`", "’": "'",
    "“": "``", "”": "''", "„": r"\quotedblbase{}", "‹": r"\guilsinglleft{}",
    "›": r"\guilsinglright{}", "«": r"\guillemotleft{}", "»": r"\guillemotright{}",
    "…": r"\ldots{}", "•": r"\textbullet{}", "†": r"\textdagger{}", "‡": r"\textdaggerdbl{}",
    "§": r"\S{}", "¶": r"\P{}", "©": r"\textcopyright{}", "®": r"\textregistered{}",
    "™": r"\texttrademark{}", "€": r"\texteuro{}", "£": r"\pounds{}", "¥": r"\textyen{}",
    "¢": r"\textcent{}", "°": r"\textdegree{}", "¡": "!`{}", "¿": "?`{}", "\u2009": r"\,",
    "\u202f": r"\,", "‐": "-", "‑": "-", "−": r"\textminus{}",
}  # fmt: skip
_TEX_MATH = {
    "∞": r"\infty", "×": r"\times", "÷": r"\div", "±": r"\pm", "≤": r"\leq", "≥": r"\geq",
    "≠": r"\neq", "≈": r"\approx", "∼": r"\sim", "≡": r"\equiv", "∝": r"\propto", "√": r"\surd",
    "∑": r"\sum", "∏": r"\prod", "∫": r"\int", "∂": r"\partial", "∇": r"\nabla", "∈": r"\in",
    "∉": r"\notin", "∅": r"\emptyset", "∀": r"\forall", "∃": r"\exists", "¬": r"\neg",
    "∧": r"\wedge", "∨": r"\vee", "∩": r"\cap", "∪": r"\cup", "⊂": r"\subset", "⊃": r"\supset",
    "⊆": r"\subseteq", "→": r"\rightarrow", "←": r"\leftarrow", "↑": r"\uparrow",
    "↓": r"\downarrow", "↔": r"\leftrightarrow", "⇒": r"\Rightarrow", "⇐": r"\Leftarrow",
    "⇔": r"\Leftrightarrow", "·": r"\cdot", "⋅": r"\cdot", "★": r"\star", "µ": r"\mu",
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\varepsilon",
    "ζ": r"\zeta", "η": r"\eta", "θ": r"\theta", "ι": r"\iota", "κ": r"\kappa", "λ": r"\lambda",
    "μ": r"\mu", "ν": r"\nu", "ξ": r"\xi", "ο": "o", "π": r"\pi", "ρ": r"\rho", "σ": r"\sigma",
    "ς": r"\varsigma", "τ": r"\tau", "υ": r"\upsilon", "φ": r"\varphi", "χ": r"\chi",
    "ψ": r"\psi", "ω": r"\omega", "Γ": r"\Gamma", "Δ": r"\Delta", "Θ": r"\Theta",
    "Λ": r"\Lambda", "Ξ": r"\Xi", "Π": r"\Pi", "Σ": r"\Sigma", "Φ": r"\Phi", "Ψ": r"\Psi",
    "Ω": r"\Omega", "¹": "^1", "²": "^2", "³": "^3", "⁴": "^4", "⁵": "^5", "⁶": "^6", "⁷": "^7",
    "⁸": "^8", "⁹": "^9", "⁰": "^0",
}  # fmt: skip
_T1_LETTERS = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿĂăĄąĆćČčĎďĐđĘęĚěĞğĹĺĽľŁłŃńŇň"
    "ŐőŒœŔŕŘřŚśŞşŠšŤťŮůŰűŸŹźŻżŽž"
)
_TEX_LIGATURES = re.compile("([-'`,!?])(?=[-'`,])")
_LONG_WORD = 20
_SEPARATORS = re.compile(r"[/_.,:;=+@-]")
_TYPEWRITER = MappingProxyType({"'": r"\textquotesingle{}", "™": r"\textrm{\texttrademark}"})
"""What typewriter type sets otherwise: a straight quote, and a sign that it does not have."""


def tex(value: Any) -> str:
    r"""LaTeX for T1-encoded text: figures as `\fig{key}`, prose resolved, anything else inert."""
    if isinstance(value, Prose):
        return _tex_emphasis(value.pieces)
    if _is_figure(value):
        return rf"\fig{{{value.key}}}"
    return tex_words(value)


def tex_words(value: Any) -> str:
    """A plain string that pdflatex can set; very long words may break at signs or anywhere."""
    return " ".join(_tex_word(word) for word in visible(value).split(" "))


def tex_code(value: Any) -> str:
    r"""A file name, field or command in `\texttt`, which may break after `/`, `_`, `.` and `-`."""
    text = "".join(map(_tex_character, visible(value)))
    return r"\texttt{" + re.sub(r"(/|\\_|\.|-)(?=.)", r"\1\\allowbreak{}", text) + "}"


def tex_listing(text: str) -> str:
    r"""Lines of a file as `\listline{indent}{text}`, every space and quote as it stands."""
    return "\n".join(map(_tex_line, text.split("\n")))


def _tex_line(line: str) -> str:
    said = line.lstrip(" ")
    text = r"\ ".join(_tex_word(word, _TYPEWRITER) for word in said.split(" "))
    return rf"\listline{{{len(line) - len(said)}}}{{{text}}}"


def _tex_word(word: str, special: Mapping[str, str] = MappingProxyType({})) -> str:
    pieces = [special.get(character) or _tex_character(character) for character in word]
    named = any(piece.startswith("[U+") for piece in pieces)
    if named or max(map(len, _SEPARATORS.split(word))) > _LONG_WORD:
        return r"\allowbreak{}".join(pieces)
    splits = len(word) > _LONG_WORD
    return "".join(piece + _tex_joint(word, i, splits) for i, piece in enumerate(pieces))


def _tex_joint(word: str, i: int, splits: bool) -> str:
    """What stands behind a character: a place to break, or what keeps two from becoming one."""
    if splits and _SEPARATORS.match(word, i) and i + 1 < len(word):
        return r"\allowbreak{}"
    return "{}" if _TEX_LIGATURES.match(word, i) else ""


def _tex_character(character: str) -> str:
    if character in _TEX:
        return _TEX[character]
    if character in _TEX_MATH:
        return rf"\ensuremath{{{_TEX_MATH[character]}}}"
    if " " <= character <= "~" or character in _T1_LETTERS:
        return character
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return "".join(_TEX.get(c, c) for c in plain) if plain.strip() else codepoint(character)


def _tex_piece(piece: Piece) -> str:
    match piece.kind:
        case "figure":
            return rf"\fig{{{piece.key}}}"
        case "code":
            return tex_code(piece.value)
        case "cite":
            return rf"~\citep{{{piece.value}}}"
        case "word":
            return tex_words(piece.value)
        case "text":
            return "".join(map(_tex_character, piece.value))
    return piece.value


def _tex_emphasis(pieces: tuple[Piece, ...]) -> str:
    text, turn = "", r"\emph{"
    for piece in pieces:
        if piece.kind == "emphasis":
            text, turn = text + turn, "}" if turn != "}" else r"\emph{"
        else:
            text += _tex_piece(piece)
    return text


def tex_table(table: Any) -> str:
    r"""The rows of a booktabs table (header, `\midrule`, body) from the object `md_table` takes.

    A table without columns' names, `table.body`, is printed as its rows.
    """
    head = [_tex_row(table.columns), r"\midrule"] if any(table.columns) else []
    return "\n".join([*head, *map(_tex_row, table.rows)])


def _tex_row(row: Any) -> str:
    return " & ".join(map(_tex_cell, row)) + r" \\"


def _tex_cell(cell: Any) -> str:
    text = " ".join(map(tex, cell)) if isinstance(cell, tuple) else tex(cell)
    return rf"\narrow{{{text}}}" if "[U+" in text else text


# -- BibTeX ----------------------------------------------------------------------------------------


def bibtex(references: Iterable[Any]) -> str:
    """Our own references as a `.bib` file: braces protect capitals, all else is escaped."""
    return "\n".join(map(_bib_entry, references)).rstrip()


def _bib_entry(reference: Any) -> str:
    fields = [f"  {key:<11} = {{{_bib_field(text)}}}," for key, text in reference.fields.items()]
    return "\n".join([f"@{reference.type}{{{reference.key},", *fields, "}", ""])


def _bib_field(text: str) -> str:
    return "".join(c if c in "{}" else _tex_character(c) for c in text)
