# SPDX-License-Identifier: MIT
"""A picture of the ratios that have a bar, as SVG.

Each is drawn as it stands to its bar, so that one line serves them all: at 1 a
figure is just what it has to be, and to the right of it better.
"""

from xml.sax.saxutils import escape

LEFT, WIDTH, RIGHT = 430, 420, 210
TOP, STEP, BOTTOM = 56, 34, 40


def to_bar(figure):
    """(lower quartile, median, upper quartile), the bar being 1."""
    three = (figure.lower, figure.median, figure.upper)
    if figure.sign == ">=":
        return tuple(value / figure.limit for value in three)
    return tuple(sorted(figure.limit / value for value in three))


def text(x, y, words, anchor="start", kind=""):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>' % (
        x, y, anchor, kind, escape(words))


def line(x1, y1, x2, y2, kind):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>' % (
        x1, y1, x2, y2, kind)


STYLE = """\
<style>
text { font: 13px sans-serif; fill: #222; }
.title { font-weight: bold; }
.small { font-size: 11px; fill: #666; }
.grid { stroke: #ddd; }
.bar { stroke: #222; stroke-width: 1.5; }
.holds { stroke: #1a7f37; fill: #1a7f37; stroke-width: 3; }
.misses { stroke: #c62828; fill: #c62828; stroke-width: 3; }
</style>"""


def ratios(figures, path):
    rows = [f for f in figures if f.unit == "ratio" and f.limit is not None]
    drawn = [to_bar(f) for f in rows]
    low = min([0.9] + [d[0] for d in drawn]) - 0.05
    high = max([1.1] + [d[2] for d in drawn]) + 0.05
    height = TOP + STEP * len(rows) + BOTTOM
    floor = height - BOTTOM

    def at(value):
        return LEFT + WIDTH * (value - low) / (high - low)

    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d">' %
           (LEFT + WIDTH + RIGHT, height), STYLE,
           '<rect width="100%" height="100%" fill="white"/>',
           text(16, 26, "Ratios and their bars: medians and quartiles",
                kind="title")]
    step = 0.1 if high - low < 1.5 else 0.5
    tick = round(low / step + 0.5) * step
    while tick <= high:
        out.append(line(at(tick), TOP - 8, at(tick), floor, "grid"))
        out.append(text(at(tick), floor + 16, "%.1f" % tick, "middle",
                        "small"))
        tick += step
    out.append(line(at(1), TOP - 14, at(1), floor, "bar"))
    out.append(text(at(1), TOP - 18, "the bar", "middle", "small"))
    out.append(text(LEFT + WIDTH, floor + 32, "better: to the right", "end",
                    "small"))
    for i, (figure, (lower, median, upper)) in enumerate(zip(rows, drawn)):
        y = TOP + STEP * i + STEP / 2
        kind = figure.verdict()
        out.append(text(16, y + 4, figure.what.strip()))
        out.append(line(at(lower), y, at(upper), y, kind))
        out.append('<circle cx="%.1f" cy="%.1f" r="5" class="%s"/>' % (
            at(median), y, kind))
        out.append(text(LEFT + WIDTH + 14, y + 4, "%.3f (%.3f to %.3f), %s" % (
            figure.median, figure.lower, figure.upper, figure.bar),
            kind="small"))
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
