"""Draws bar charts as SVG with the standard library: well-formed, readable in light and dark, and for screen readers.

Every bar carries its number in `data-value`, so that a check can add up what is really drawn.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

from agents.wording import visible

SVG = "http://www.w3.org/2000/svg"
register_namespace("", SVG)

WIDTH = 720
TOP = 64  # title and the line below it
LETTER = 6.4  # average width of a letter at 12 px; labels are cut to fit it
MIN_BAR = 1.5  # pixels: a small number is still to be seen

STYLE = """
.chart { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #52514e; }
.chart .surface { fill: #fcfcfb; }
.chart .title { font-size: 15px; font-weight: 600; fill: #0b0b0b; }
.chart .number { fill: #0b0b0b; font-variant-numeric: tabular-nums; }
.chart .grid { stroke: #e1e0d9; stroke-width: 1; }
.chart .axis { stroke: #898781; stroke-width: 1; }
.chart .limit { stroke: #d03b3b; stroke-width: 1.5; stroke-dasharray: 4 3; }
.chart .bad { fill: #d03b3b; }
.chart .s0 { fill: #2a78d6; } .chart .s1 { fill: #1baf7a; } .chart .s2 { fill: #c3c2b7; }
@media (prefers-color-scheme: dark) {
  .chart { fill: #c3c2b7; }
  .chart .surface { fill: #1a1a19; }
  .chart .title, .chart .number { fill: #ffffff; }
  .chart .grid { stroke: #2c2c2a; }
  .chart .s0 { fill: #3987e5; } .chart .s1 { fill: #199e70; } .chart .s2 { fill: #52514e; }
}
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a bar chart: its label, and one value for each series."""

    label: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its label (empty for none below it), its value, what it says when pointed at, whether it is bad."""

    label: str
    value: int
    tip: str
    bad: bool = False


def bars(title: str, note: str, series: Sequence[str], rows: Sequence[Row]) -> str:
    """Draw one stacked horizontal bar for each row, the longest label deciding where they begin."""
    pitch, left = 24, 24 + min(220.0, LETTER * max((len(row.label) for row in rows), default=0))
    chart = _canvas(title, note, TOP + (22 if len(series) > 1 else 0) + pitch * len(rows) + 16)
    top: float = TOP
    if len(series) > 1:
        _legend(chart, series, left)
        top += 22
    scale = (WIDTH - left - 84) / max((sum(row.values) for row in rows), default=1)
    for number, row in enumerate(rows):
        y = top + pitch * number
        _text(chart, left - 8, y + 13, shortened(row.label, left - 24), anchor="end", tip=row.label)
        x = left
        for index, value in enumerate(row.values):
            if value:
                width = max(MIN_BAR, value * scale)
                what = f"{row.label}: {value:,} {series[index]}"
                _bar(chart, (x, y, max(MIN_BAR, width - 1), 16), f"s{index}", value, what)
                x += width
        _text(chart, x + 6, y + 13, f"{sum(row.values):,}", style="number")
    return _written(chart)


def columns(title: str, note: str, bottom: str, data: Sequence[Column], limit_after: int | None = None) -> str:
    """Draw one column for each value over a numbered axis; a dashed line after column `limit_after` marks a limit."""
    left, height = 24 + LETTER * 6, 190
    chart = _canvas(title, note, TOP + height + 50)
    floor = TOP + height
    step, top_value = scale_of(max((column.value for column in data), default=0))
    for value in range(0, top_value + 1, step):
        y = floor - height * value / top_value
        _line(chart, left, y, WIDTH - 16, y, "axis" if value == 0 else "grid")
        _text(chart, left - 8, y + 4, f"{value:,}", anchor="end", style="number")
    pitch = (WIDTH - 16 - left) / max(1, len(data))
    for number, column in enumerate(data):
        x, width = left + pitch * number, min(48.0, pitch * 0.78)
        if column.value:
            tall = max(MIN_BAR, height * column.value / top_value)
            box = (x + (pitch - width) / 2, floor - tall, width, tall)
            _bar(chart, box, "bad" if column.bad else "s0", column.value, column.tip)
        _text(chart, x + pitch / 2, floor + 16, column.label, anchor="middle")
    if limit_after is not None:
        x = left + pitch * (limit_after + 1)
        _line(chart, x, TOP - 4, x, floor, "limit")
    _text(chart, (left + WIDTH - 16) / 2, floor + 36, bottom, anchor="middle")
    return _written(chart)


def scale_of(highest: int) -> tuple[int, int]:
    """A round step for an axis of about four steps, and the round number that it ends at."""
    rough = max(1, highest) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = max(1, math.ceil(next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)))
    return step, step * math.ceil(max(1, highest) / step)


def shortened(text: str, width: float) -> str:
    """The text, its middle left out if it is wider than so many pixels."""
    room = int(width / LETTER)
    if len(text) <= room:
        return text
    head = (room - 1) // 2
    return f"{text[:head]}…{text[len(text) - (room - 1 - head) :]}"


def _canvas(title: str, note: str, height: float) -> Element:
    name = re.sub(r"\W+", "-", title.lower())
    attributes = {"viewBox": f"0 0 {WIDTH} {height:g}", "class": "chart", "role": "img", "width": str(WIDTH)}
    chart = Element(f"{{{SVG}}}svg", attributes | {"aria-labelledby": f"{name}-title {name}-note"})
    _add(chart, "title", id=f"{name}-title").text = visible(title)
    _add(chart, "desc", id=f"{name}-note").text = visible(note)
    _add(chart, "style").text = STYLE
    _add(chart, "rect", width="100%", height="100%", rx="6").set("class", "surface")
    _text(chart, 16, 26, title, style="title")
    _text(chart, 16, 45, shortened(note, WIDTH - 32))
    return chart


def _legend(chart: Element, series: Sequence[str], x: float) -> None:
    for index, name in enumerate(series):
        _add(chart, "rect", x=_px(x), y=str(TOP - 2), width="10", height="10", rx="2").set("class", f"s{index}")
        _text(chart, x + 15, TOP + 7, name)
        x += 34 + LETTER * len(name)


def _bar(chart: Element, box: tuple[float, float, float, float], style: str, value: int, tip: str) -> None:
    x, y, width, height = map(_px, box)
    bar = _add(chart, "rect", x=x, y=y, width=width, height=height, rx="2")
    bar.attrib |= {"class": style, "data-value": str(value)}
    _add(bar, "title").text = visible(tip)


def _text(chart: Element, x: float, y: float, text: str, *, anchor: str = "", style: str = "", tip: str = "") -> None:
    if not text:
        return
    node = _add(chart, "text", x=_px(x), y=_px(y))
    node.text = text = visible(text)
    node.attrib |= ({"text-anchor": anchor} if anchor else {}) | ({"class": style} if style else {})
    if tip not in {"", text}:
        node.text = None
        _add(node, "title").text = visible(tip)
        node[0].tail = text


def _line(chart: Element, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
    _add(chart, "line", x1=_px(x1), y1=_px(y1), x2=_px(x2), y2=_px(y2)).set("class", style)


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return SubElement(parent, f"{{{SVG}}}{tag}", attributes)


def _px(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _written(chart: Element) -> str:
    indent(chart)
    return tostring(chart, encoding="unicode") + "\n"
