# SPDX-License-Identifier: MIT
"""Numbers over time as SVG, one panel below the other."""

import importlib.util
import os

# The words and lines of the measurements' own picture.
SPEC = importlib.util.spec_from_file_location("bench_plot", os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bench",
    "plot.py"))
bench = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(bench)

LEFT, WIDTH, RIGHT = 70, 700, 190
TOP, HEIGHT, GAP = 40, 220, 64
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf",
           "#8c564b", "#7f7f7f")


def tick(limit):
    """A round step that divides 0 to limit into some five parts."""
    step = 1
    while limit / step > 6:
        step *= 5 if str(step)[0] == "2" else 2
    return step


def panel(title, series, seconds, top):
    """series: {name: [(seconds, value), …]}."""
    most = max([v for points in series.values() for _, v in points] or [1])
    most = max(most, 1) * 1.1
    floor = top + HEIGHT
    out = [bench.text(LEFT, top - 12, title, kind="title")]

    def at(t, v):
        return (LEFT + WIDTH * t / seconds, floor - HEIGHT * v / most)

    step = tick(most)
    for v in range(0, int(most) + 1, step):
        y = at(0, v)[1]
        out.append(bench.line(LEFT, y, LEFT + WIDTH, y, "grid"))
        out.append(bench.text(LEFT - 6, y + 4, str(v), "end", "small"))
    for t in range(0, int(seconds) + 1, tick(seconds)):
        x = at(t, 0)[0]
        out.append(bench.line(x, floor, x, floor + 4, "grid"))
        out.append(bench.text(x, floor + 18, "%d s" % t, "middle", "small"))
    for i, (name, points) in enumerate(sorted(series.items())):
        colour = COLOURS[i % len(COLOURS)]
        out.append('<polyline fill="none" stroke="%s" stroke-width="1.5" '
                   'points="%s"/>' % (colour, " ".join(
                       "%.1f,%.1f" % at(t, v) for t, v in points)))
        y = top + 8 + 18 * i
        out.append('<rect x="%d" y="%d" width="12" height="3" fill="%s"/>' % (
            LEFT + WIDTH + 14, y, colour))
        out.append(bench.text(LEFT + WIDTH + 32, y + 5, name, kind="small"))
    return out


def marks(events, seconds, top):
    """A small stroke for each thing that was done, on a line of its kind."""
    out = []
    for i, (name, when) in enumerate(sorted(events.items())):
        y = top + 16 * i
        out.append(bench.text(LEFT + WIDTH + 14, y + 8, name, kind="small"))
        for t in when:
            x = LEFT + WIDTH * t / seconds
            out.append(bench.line(x, y, x, y + 8, "bar"))
    return out


def draw(panels, events, seconds, path):
    """panels: [(title, series), …]; events: {name: [seconds, …]}."""
    below = TOP + (HEIGHT + GAP) * len(panels)
    height = below + 16 * len(events) + 16
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d">' %
           (LEFT + WIDTH + RIGHT, height), bench.STYLE,
           '<rect width="100%" height="100%" fill="white"/>']
    for i, (title, series) in enumerate(panels):
        out += panel(title, series, seconds, TOP + (HEIGHT + GAP) * i)
    out += marks(events, seconds, below - 16)
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
