"""Memory, parameters, the roofline, benchmarks and ablations as pictures.

Every number in them is a text of the blueprint; values decide lengths and places alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import atan2, ceil, degrees, floor, log10
from typing import Any

from ink import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, Page, Theme, fit, width

PARTS = {
    "weights_gb": ("weights", BLUE),
    "kv_cache_gb": ("decode state", ORANGE),
    "activation_memory_gb": ("activations", GREEN),
    "workspace_gb": ("workspace", SKY),
}
SIZE = 7.0


# -- memory ----------------------------------------------------------------------------------------


def draw_memory(ledger: Mapping[str, Any], device: str, theme: Theme) -> Page:
    """What peak memory consists of, and below it how much of budget and device that takes."""
    page, left, wide = Page(480, 128, theme), 10.0, 460.0
    parts = [(name, colour, ledger[key]) for key, (name, colour) in PARTS.items() if key in ledger]
    peak, budget, memory = (
        ledger[key] for key in ("peak_memory_gb", "memory_budget_gb", "device_memory_gb")
    )
    page.text(left, 119, f"peak memory of inference: {peak['text']}", SIZE + 1, weight="bold")
    entries = [(f"{name} {figure['text']}", colour) for name, colour, figure in parts]
    _legend(page, left, 105, wide, entries)
    x = left
    for _, colour, figure in parts:
        span = wide * figure["value"] / peak["value"]
        page.bar(x, 74, max(span - 0.8, 0.6), 20, colour)
        x += span
    limits = [memory["value"]] + [budget["value"]] * (budget["text"] != "∞")
    scale = wide / max(peak["value"], *limits)
    reach = left + peak["value"] * scale
    for top, foot in ((left, left), (left + wide, reach)):
        page.line([(top, 72), (foot, 46)], theme.faint, linewidth=0.6)
    page.bar(left, 32, memory["value"] * scale, 13, theme.faint)
    page.bar(left, 32, peak["value"] * scale, 13, BLUE)
    if budget["text"] != "∞":
        at = left + budget["value"] * scale
        page.line([(at, 22), (at, 48)], linewidth=1.1, linestyle=(0, (3, 2)))
        _beside(page, at, 24, f"budget {budget['text']}", left)
    end = left + memory["value"] * scale
    page.line([(end, 32), (end, 28)], linewidth=1.1)
    _beside(page, end, 12, f"{device}: {memory['text']}", left)
    return page


def _beside(page: Page, x: float, y: float, words: str, left: float) -> None:
    """A text that ends at x, or where there is no room before x, begins there."""
    (line,) = fit(words, 440, SIZE)
    before = x - width(line, SIZE) >= left + 4
    page.text(x - 4 if before else x + 4, y, line, SIZE, at="right" if before else "left")


def _legend(
    page: Page, left: float, y: float, wide: float, entries: Sequence[tuple[str, str]]
) -> float:
    """Coloured squares with words, in as many lines as they need; returns the last line's y."""
    x = left
    for words, colour in entries:
        (line,) = fit(words, wide - 12, SIZE)
        span = width(line, SIZE) + 22
        if x > left and x + span - 12 > left + wide:
            x, y = left, y - 11
        page.bar(x, y - 3, 6, 6, colour)
        page.text(x + 9, y, line, SIZE)
        x += span
    return y


def legend_lines(wide: float, names: Sequence[str]) -> int:
    """Lines that `_legend` takes."""
    lines, x = 1, 0.0
    for name in names:
        (line,) = fit(name, wide - 12, SIZE)
        span = width(line, SIZE) + 22
        if x and x + span - 12 > wide:
            lines, x = lines + 1, 0.0
        x += span
    return lines


# -- parameters ------------------------------------------------------------------------------------


def draw_parameters(
    ledger: Mapping[str, Any], modules: Sequence[Mapping[str, Any]], theme: Theme
) -> Page:
    """A bar for each module of the model, the largest first."""
    rows = sorted(modules, key=lambda module: -module["params"])
    names = [fit(module["name"] or "the model's own", 150, SIZE)[0] for module in rows]
    side = 10 + max(width(name, SIZE) for name in names) + 6
    page = Page(480, 30 + 13 * len(rows), theme)
    total = ledger["total_params"]
    title = f"{total['text']} parameters by module"
    page.text(10, 21 + 13 * len(rows), title, SIZE + 1, weight="bold")
    span = 470 - side - max(width(module["text"], SIZE) for module in rows) - 6
    for i, (name, module) in enumerate(zip(names, rows, strict=True)):
        y = 13 * (len(rows) - i) - 1
        page.text(side - 6, y, name, SIZE, at="right")
        long = span * module["params"] / rows[0]["params"]
        page.bar(side, y - 4, long, 8, BLUE)
        page.text(side + max(long, 0.6) + 4, y, module["text"], SIZE)
    return page


# -- roofline --------------------------------------------------------------------------------------

COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY)
MARKERS = "osD^vP"
SI = ("", "k", "M", "G", "T", "P", "E")


@dataclass(frozen=True)
class Logarithmic:
    """A logarithmic axis from one point on the page to another; `low` and `high` are powers."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def around(cls, values: Sequence[float], start: float, end: float) -> Logarithmic:
        """An axis from the decade below all values to some room above them."""
        return cls(floor(log10(min(values)) - 0.2), log10(max(values)) + 0.5, start, end)

    @property
    def decades(self) -> range:
        """The whole powers of ten on it."""
        return range(ceil(self.low), floor(self.high) + 1)

    def at(self, value: float) -> float:
        """Where a value stands."""
        share = (log10(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def draw_roofline(
    ledger: Mapping[str, Any], device: str, phases: Sequence[Mapping[str, Any]], theme: Theme
) -> Page:
    """What the device could do at each intensity, and what each phase of an answer does."""
    page = Page(480, 214, theme)
    peak, bandwidth, ridge = (
        ledger[f"device_{key}"] for key in ("peak", "bandwidth", "ridge")
    )  # fmt: skip
    points = [
        [ledger[f"phase_{i}_{key}"] for key in ("intensity", "rate", "s")]
        for i, _ in enumerate(phases, 1)
    ]
    x = Logarithmic.around([ridge["value"], *(p[0]["value"] for p in points)], 52, 318)
    least = 10.0**x.low * bandwidth["value"]
    y = Logarithmic.around([least, peak["value"], *(p[1]["value"] for p in points)], 34, 196)
    _grid(page, x, y)
    top = y.at(peak["value"])
    corner = x.at(ridge["value"]), top
    foot = x.start, y.at(least)
    page.line([foot, corner, (x.end, top)], linewidth=1.6, solid_joinstyle="round")
    turn = degrees(atan2(corner[1] - foot[1], corner[0] - foot[0]))
    page.text(foot[0] + 8, foot[1] + 8 * (corner[1] - foot[1]) / (corner[0] - foot[0]) + 3,
              bandwidth["text"], SIZE, up="bottom", turn=turn)  # fmt: skip
    page.text(x.end, top + 3, peak["text"], SIZE, at="right", up="bottom")
    at = 196.0
    for line in fit(device, 146, SIZE + 1, 2, "bold"):
        page.text(330, at, line, SIZE + 1, weight="bold")
        at -= 11
    page.text(330, at, f"ridge at {ridge['text']}", SIZE)
    pitch = min(40.0, (at - 14) / len(phases))
    for i, (phase, (intensity, rate, seconds)) in enumerate(zip(phases, points, strict=True)):
        how = {"marker": MARKERS[i % 6], "color": COLOURS[i % 6], "linestyle": "none",
               "markersize": 8.5 - 2 * (i % 3), "markeredgewidth": 0}  # fmt: skip
        page.line([(x.at(intensity["value"]), y.at(rate["value"]))], **how, zorder=3)
        line = at - 20 - pitch * i
        page.line([(334, line)], **how)
        page.text(344, line, fit(phase["name"], 132, SIZE, 1, "bold")[0], SIZE, weight="bold")
        page.text(344, line - 9, f"{rate['text']}, {seconds['text']}", SIZE - 0.6)
        if pitch >= 30:
            limit = f"{intensity['text']}; limit: {phase['limit']}"
            page.text(344, line - 18, limit, SIZE - 0.6)
    return page


def _grid(page: Page, x: Logarithmic, y: Logarithmic) -> None:
    """Decades of both axes, and what they count."""
    for power in x.decades:
        at = x.at(10.0**power)
        page.line([(at, y.start), (at, y.end)], page.theme.faint, linewidth=0.4)
        text = f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"
        page.text(at, y.start - 7, text, SIZE - 0.6, at="center")
    step = 1 + len(y.decades) // 8
    for power in y.decades:
        at = y.at(10.0**power)
        page.line([(x.start, at), (x.end, at)], page.theme.faint, linewidth=0.4)
        if (power - y.decades[0]) % step == 0:
            scale = f"{10 ** (power % 3)} {SI[power // 3]}"
            page.text(x.start - 4, at, scale, SIZE - 0.6, at="right")
    page.text((x.start + x.end) / 2, 10, "FLOP per byte of memory traffic", SIZE, at="center")
    page.text(10, (y.start + y.end) / 2, "FLOP/s", SIZE, at="center", turn=90)


# -- benchmarks ------------------------------------------------------------------------------------


def draw_benchmarks(
    ledger: Mapping[str, Any], document: Mapping[str, Any], theme: Theme
) -> Page:  # fmt: skip
    """Aggregate scores with their intervals, the generated model in colour; all simulated."""
    models, suite = document["models"], document["benchmarks"]
    order = [*range(1, len(models)), 0]
    names = [fit(models[m], 150, SIZE)[0] for m in order]
    colours = [BLUE if m == 0 else _grey(m - 1, len(models) - 1) for m in order]
    notes = fit("† " + " ".join(document["notes"]), 460, SIZE - 0.6, 2)
    rows = legend_lines(430, names)
    floor, plot = 26.0 + 8 * len(notes), 126.0
    page = Page(480, floor + plot + 14 + 11 * rows + 12, theme)
    _legend(page, 36, page.high - 20, 430, list(zip(names, colours, strict=True)))
    page.text(36, page.high - 7, "score† and its interval, simulated", SIZE + 1, weight="bold")
    for score in (0, 50, 100):
        y = floor + plot * score / 100
        page.line([(36, y), (472, y)], theme.faint, linewidth=0.5)
        page.text(32, y, f"{score}", SIZE - 0.6, at="right")
    group = 436 / len(suite)
    slot = min(44.0, group * 0.86 / len(models))
    for b, bench in enumerate(suite, 1):
        left = 36 + group * (b - 0.5) - slot * len(models) / 2
        for place, m in enumerate(order):
            score, spread = ledger[f"score_{b}_0_{m}"], ledger[f"interval_{b}_{m}"]["value"]
            high = plot * score["value"] / 100
            x = left + slot * place
            page.bar(x + slot * 0.05, floor, slot * 0.9, high, colours[place])
            _whisker(page, x + slot / 2, floor + high, plot * spread / 100, min(2.0, slot / 4))
            if m == 0 or slot > 16:
                up = floor + high + plot * spread / 100
                page.text(x + slot / 2, up + 2, score["text"], 6, at="center", up="bottom",
                          weight="bold" if m == 0 else "normal")  # fmt: skip
        lines = fit(bench["name"], group - 4, SIZE, 2)
        page.stack(36 + group * (b - 0.5), floor - 4, lines, SIZE, at="center")
    page.stack(10, 8.0 * len(notes) + 2, notes, SIZE - 0.6, style="italic")
    return page


def _whisker(page: Page, x: float, y: float, reach: float, cap: float) -> None:
    """An interval around y: dark where it lies on the bar, in the page's ink above."""
    for side, ink in ((-1, "#111111"), (1, page.theme.ink)):
        end = y + side * reach
        page.line([(x, y), (x, end)], ink, linewidth=0.7)
        page.line([(x - cap, end), (x + cap, end)], ink, linewidth=0.7)


def _grey(i: int, n: int) -> str:
    shade = 140 + round(i * 70 / max(n - 1, 1))
    return f"#{shade:02X}{shade + 6:02X}{shade + 14:02X}"


# -- ablations -------------------------------------------------------------------------------------


def draw_ablation(
    ledger: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], theme: Theme
) -> Page:
    """What each removal takes with it: parameters, and scores or in their absence FLOPs."""
    scored = all("scores" in row for row in rows)
    foot, pitch = (14.0 if scored else 6.0), 14.0
    names = [fit(row["component"], 130, SIZE)[0] for row in rows]
    side = 10 + max(width(name, SIZE) for name in names) + 6
    page = Page(480, foot + pitch * len(rows) + 18, theme)
    for i, name in enumerate(names):
        page.text(side - 6, foot + pitch * (len(rows) - i - 0.5), name, SIZE, at="right")
    second = ("drop", "mean score† (points)", ORANGE) if scored else ("flops", "FLOPs", SKY)
    room = (474 - side) / 2
    for place, (key, title, colour) in enumerate((("params", "parameters", BLUE), second)):
        figures = [ledger[f"ablation_{i}_{key}"] for i, _ in enumerate(rows, 1)]
        left = side + place * room
        page.text(left + room / 2, page.high - 7, f"change of {title}", SIZE, at="center",
                  weight="bold")  # fmt: skip
        _changes(page, figures, left + 6, room - 12, foot, pitch, colour)
    if scored:
        note = f"† simulated under seed {ledger['seed']['text']}; parameters are computed"
        page.text(10, 6, note, SIZE - 0.6, style="italic")
    return page


def _changes(
    page: Page, figures: Sequence[Mapping[str, Any]], left: float, room: float, foot: float,
    pitch: float, colour: str,
) -> None:  # fmt: skip
    """Bars to both sides of a line that stands for no change, with their texts at their ends."""
    values = [figure["value"] for figure in figures]
    texts = [width(figure["text"], SIZE - 0.4) + 5 for figure in figures]
    below = max((t for v, t in zip(values, texts, strict=True) if v < 0), default=0.0)
    above = max((t for v, t in zip(values, texts, strict=True) if v >= 0), default=0.0)
    low, high = min(0, *values), max(0, *values)
    scale = (room - below - above) / ((high - low) or 1)
    zero = left + below - low * scale
    for i, figure in enumerate(figures):
        y = foot + pitch * (len(figures) - i - 0.5)
        reach = figure["value"] * scale
        page.bar(zero, y - 4, reach, 8, colour if reach else GREY)
        side = -1 if reach < 0 else 1
        page.text(zero + reach + 3 * side, y, figure["text"], SIZE - 0.4,
                  at="right" if reach < 0 else "left")  # fmt: skip
    page.line([(zero, foot), (zero, foot + pitch * len(figures))], linewidth=0.7)
