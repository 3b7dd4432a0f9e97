"""Links of pages lead somewhere, and the README's tables have the rules of today."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from looptck.profiles import PROFILES
from looptck.rules.catalogue import shipped

Tracked = Callable[..., list[Path]]


def tokens(markdown: str) -> Iterator[Token]:
    """All tokens of a page, those within a paragraph or a heading included."""
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        yield token
        yield from token.children or ()


def links(markdown: str) -> list[str]:
    """The addresses of a page's links and pictures; a code block has none."""
    found = [token.attrGet("href") or token.attrGet("src") for token in tokens(markdown)]
    return [str(address) for address in found if address]


def anchors(markdown: str) -> set[str]:
    """The names under which GitHub links to the headings of a page."""
    page = list(tokens(markdown))
    seen: Counter[str] = Counter()
    found = set()
    for heading, text in pairwise(page):
        if heading.type != "heading_open":
            continue
        words = "".join(
            token.content
            for token in text.children or ()
            if token.type in ("text", "code_inline", "softbreak")
        )
        name = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


@cache
def anchors_of(page: Path) -> set[str]:
    return anchors(page.read_text())


def is_broken(link: str, page: Path) -> bool:
    """True if *link*, as it stands on *page*, leads to no file or to no heading."""
    if re.match(r"[a-z][a-z+.-]*:", link):  # an address elsewhere
        return False
    path, _, anchor = unquote(link).partition("#")
    # A fragment becomes a line of CHANGELOG.md, one folder above it.
    home = page.parent.parent if page.parent.name == "changes" else page.parent
    target = (home / path).resolve() if path else page
    if not target.exists():
        return True
    return bool(anchor) and target.suffix == ".md" and anchor not in anchors_of(target)


def test_every_link_of_a_page_leads_somewhere(tracked: Tracked) -> None:
    pages = tracked("*.md")
    checked = [(page, link) for page in pages for link in links(page.read_text())]
    assert checked, "nothing to look at: have the pages moved?"
    broken = [f"{page}: {link}" for page, link in checked if is_broken(link, page)]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    "link, broken",
    [
        ("other.md", False),
        ("other.md#the-first-of-two", False),
        ("other.md#code-and-a-dot", False),
        ("#here", False),
        ("https://example.org/missing.md", False),
        ("missing.md", True),
        ("other.md#a-third", True),
        ("#there", True),
    ],
)
def test_a_link_to_nothing_is_found(link: str, broken: bool, tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# The first of two\n\n## `Code`, and a dot.\n")
    page = tmp_path / "page.md"
    page.write_text(f"# Here\n\n[a link]({link})\n")
    assert [is_broken(found, page) for found in links(page.read_text())] == [broken]


def test_equal_headings_have_numbered_anchors() -> None:
    assert anchors("# Twice\n\n# Twice\n") == {"twice", "twice-1"}


@pytest.mark.parametrize("profile", PROFILES)
def test_the_readmes_tour_counts_the_rules_of_today(profile: str, checkout: Path) -> None:
    """The reference's rows are as many as its pollers, and each adds up to the profile's rules."""
    tour = (checkout / "README.md").read_text().split("\ntideloop: certified")[0]
    table = tour.split(f"\n{profile}\n")[1].split("\n\n")[0]
    rows = re.findall(r"^ \w+ +(\d+)/(\d+) .* (\d+|-) +(\d+|-)$", table, re.MULTILINE)
    rules = [rule for rule in shipped().values() if rule.profile == profile]
    judged = [rule for rule in rules if rule.level.is_judged]
    assert len(rows) == 3
    for kept, of, *others in rows:
        assert int(of) == len(judged)
        assert int(kept) + sum(int(number) for number in others if number != "-") == len(rules)


def test_the_readmes_tour_has_the_sum_of_its_tables(checkout: Path) -> None:
    tour, _, rest = (checkout / "README.md").read_text().partition("\ntideloop: certified, ")
    kept = re.findall(r"^ (?:epoll|poll|select) +(\d+)/", tour, re.MULTILINE)
    assert sum(map(int, kept)) == int(rest.split()[0])
