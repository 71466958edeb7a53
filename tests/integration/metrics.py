# SPDX-License-Identifier: MIT
"""What monime_metrics() wrote, by the readers it is written for.

    metrics.py openmetrics FILE     each sample on a line, as Prometheus'
                                    client understands it
    metrics.py html FILE            the page is whole, self-contained, readable

Whatever is wrong goes to standard error, and the exit status is 1.
"""

import re
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link", "source"}
ALLOWED = set("""html head meta title style body header h1 h2 p b nav ul li a
    main section div dl dt dd table caption thead tbody tr th td i bdi code
    time footer""".split())
ATTRIBUTES = set("""lang charset name content class id href style scope
    aria-label aria-labelledby datetime""".split())

# Text and its ground, each in both colour schemes: WCAG 2.1, 1.4.3.
PAIRS = (("text", "page"), ("text", "card"), ("muted", "page"),
         ("muted", "card"), ("live-text", "live"), ("test-text", "test"),
         ("note-text", "note"))


def openmetrics(text):
    from prometheus_client.openmetrics.parser import \
        text_string_to_metric_families
    wrong = []
    seen = set()
    for family in text_string_to_metric_families(text):
        if family.name in seen:
            wrong.append(f"{family.name} comes twice")
        seen.add(family.name)
        if not family.name.startswith("monime_"):
            wrong.append(f"{family.name} is not ours")
        if not family.documentation:
            wrong.append(f"{family.name} has no HELP")
        if family.name.endswith("_seconds") != (family.unit == "seconds"):
            wrong.append(f"{family.name} has the unit \"{family.unit}\"")
        for sample in family.samples:
            labels = ",".join(f'{k}="{v}"' for k, v in sample.labels.items())
            print(f"{sample.name}{{{labels}}} {sample.value:.15g}")
    for name in re.findall(r"^# TYPE (\S+)", text, re.M):
        for kind in ("HELP", "TYPE"):
            if len(re.findall(rf"^# {kind} {name} ", text, re.M)) != 1:
                wrong.append(f"{name}: not one {kind}")
    return wrong


class Page(HTMLParser):
    """Elements that match, and none that fetches or runs."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.wrong = []
        self.ids = []
        self.links = []
        self.levels = []
        self.style = ""

    def handle_starttag(self, tag, attrs):
        if tag not in ALLOWED:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            if name not in ATTRIBUTES:
                self.wrong.append(f"<{tag} {name}>")
            if name == "style" and not re.fullmatch(r"width:[\d.]+%", value):
                self.wrong.append(f"style=\"{value}\"")
            if name == "href":
                self.links.append(value)
            if name == "id":
                self.ids.append(value)
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "caption" and self.open[-1] != "table":
            self.wrong.append("a caption outside of a table")
        if tag == "thead" and self.last != "caption":
            self.wrong.append("a table without a caption")
        self.last = tag
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")
        if tag == "caption":
            self.last = tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data


def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4
               for p in parts]
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a, b):
    one, two = sorted((luminance(a), luminance(b)), reverse=True)
    return (one + 0.05) / (two + 0.05)


def html(text):
    page = Page()
    page.feed(text)
    page.close()
    wrong = page.wrong
    if not text.startswith("<!doctype html>\n") or page.open:
        wrong.append(f"not a whole page: {page.open} are open")
    for word in ("url(", "@import", "expression(", "src=", "http-equiv",
                 "javascript:"):
        if word in text:
            wrong.append(f"\"{word}\"")
    if len(set(page.ids)) != len(page.ids):
        wrong.append("an id comes twice")
    for link in page.links:
        if link[:1] != "#" or link[1:] not in page.ids:
            wrong.append(f"a link to {link}")
    if page.levels.count(1) != 1 or any(
            b > a + 1 for a, b in zip([0] + page.levels, page.levels)):
        wrong.append(f"headings {page.levels}")
    if "prefers-color-scheme:dark" not in page.style:
        wrong.append("one colour scheme alone")
    schemes = re.findall(r":root\{(.*?)\}", page.style, re.S)
    for scheme in schemes:
        colours = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", scheme))
        for front, ground in PAIRS:
            ratio = contrast(colours[front], colours[ground])
            if ratio < 4.5:
                wrong.append(f"{front} on {ground}: {ratio:.2f}")
    if len(schemes) != 2:
        wrong.append(f"{len(schemes)} colour schemes")
    return wrong


def main():
    with open(sys.argv[2], encoding="utf-8") as f:
        text = f.read()
    wrong = {"openmetrics": openmetrics, "html": html}[sys.argv[1]](text)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
