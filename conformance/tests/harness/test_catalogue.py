"""Rules pages: what is read from them, and what is refused, with file and line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from looptck.errors import CatalogueError, UsageError
from looptck.rules.catalogue import Basis, Catalogue, Level, read_folder, read_page, shipped
from looptck.running.suite_index import rules_with_a_test

GOOD = """\
# luahop

A word of introduction.

## timer

### luahop.timer.once MUST (stated): a timeout fires once
Given a timeout,
when it is due, then it fires.

And only once.

- **Source:** LuaHop, Timers: "called once"
- **Look at:** where a timer
  is taken off.
- **Needs:** luahop.timer.zero

### luahop.timer.zero UNSPECIFIED (extended): a timeout of zero
Given zero, then anything.

- **Source:** LuaHop, Timers
- **Untested:** nobody can tell
"""


def _page(tmp_path: Path, text: str, name: str = "luahop") -> Path:
    page = tmp_path / f"{name}.md"
    page.write_text(text)
    return page


def test_a_page_is_read_as_rules_in_its_order(tmp_path: Path) -> None:
    once, zero = read_page(_page(tmp_path, GOOD))
    assert (once.id, once.level, once.basis) == ("luahop.timer.once", Level.MUST, Basis.STATED)
    assert (once.section, once.where) == ("timer", "luahop.md:7")
    assert once.statement == "Given a timeout,\nwhen it is due, then it fires.\n\nAnd only once."
    assert once.look_at == "where a timer is taken off."
    assert once.needs == ("luahop.timer.zero",)
    assert zero.untested == "nobody can tell"
    assert not zero.level.is_judged


def test_a_rule_may_need_something_of_the_system(tmp_path: Path) -> None:
    """It is untested without, and the hash of the rules is the same on every system."""
    hashes = set()
    for name, untested in (
        ("select.select", ""),
        ("select.nothing", "this system has no nothing."),
    ):
        page = _page(
            tmp_path, GOOD.replace("**Untested:** nobody can tell", f"**Only with:** `{name}`")
        )
        _, zero = read_page(page)
        assert (zero.only_with, zero.untested) == (name, untested)
        hashes.add(Catalogue([replace(zero, only_with="x")]).digest())
    assert len(hashes) == 1


# (what is replaced, by what, line of the complaint, words in it)
FAULTS = [
    ("MUST (stated)", "SHOULD (stated)", 7, "SHOULD"),
    ("MUST (stated)", "MUST (guessed)", 7, "guessed"),
    ("luahop.timer.once MUST", "once MUST", 7, "rule heading"),
    ("### luahop.timer.once", "### luaevent.timer.once", 7, "page of luahop"),
    ('- **Source:** LuaHop, Timers: "called once"\n', "", 7, "'Source'"),
    ("- **Look at:** where a timer\n  is taken off.\n", "", 7, "'Look at'"),
    ("- **Needs:**", "- **Wants:**", 16, "Wants"),
    ("- **Needs:** luahop.timer.zero", "- nothing bold", 16, "nothing bold"),
    ("- **Needs:**", "- **Source:**", 16, "twice"),
    ("Given zero, then anything.\n", "", 18, "statement"),
]


@pytest.mark.parametrize("old, new, line, word", FAULTS)
def test_a_malformed_page_is_refused_with_file_line_and_reason(
    tmp_path: Path, old: str, new: str, line: int, word: str
) -> None:
    assert old in GOOD
    page = _page(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(CatalogueError) as caught:
        read_page(page)
    assert str(caught.value).startswith(f"{page}:{line}: ")
    assert word in str(caught.value)


def test_an_unknown_need_and_a_circle_of_needs_are_refused(tmp_path: Path) -> None:
    _page(tmp_path, GOOD.replace("Needs:** luahop.timer.zero", "Needs:** luahop.timer.none"))
    with pytest.raises(CatalogueError, match=r"luahop\.md:7: .*'luahop\.timer\.none'"):
        read_folder(tmp_path)
    circle = GOOD.replace("**Untested:** nobody can tell", "**Needs:** luahop.timer.once")
    _page(tmp_path, circle)
    with pytest.raises(CatalogueError, match=r"circle \(luahop\.timer\.once -> .*zero -> "):
        read_folder(tmp_path)


def test_a_folder_without_pages_and_a_binary_page_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no page of rules"):
        read_folder(tmp_path)
    (tmp_path / "luahop.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogueError, match="UTF-8"):
        read_folder(tmp_path)


def test_the_digest_follows_the_text_and_not_the_layout(tmp_path: Path) -> None:
    first = Catalogue(read_page(_page(tmp_path, GOOD)))
    moved = Catalogue(read_page(_page(tmp_path, "\n\n" + GOOD)))
    changed = Catalogue(read_page(_page(tmp_path, GOOD.replace("fires once", "fires"))))
    assert first.digest() == moved.digest()
    assert first.digest() != changed.digest()


def test_patterns_choose_by_wildcard_or_by_beginning(tmp_path: Path) -> None:
    catalogue = Catalogue(read_page(_page(tmp_path, GOOD)))
    assert len(catalogue.matching(["luahop.timer"])) == 2
    assert [rule.id for rule in catalogue.matching(["*.zero"])] == ["luahop.timer.zero"]
    with pytest.raises(UsageError, match=r"did you mean 'luahop\.timer\.zero'"):
        catalogue.matching(["luahop.timer.zeros"])


def test_each_shipped_rule_has_a_test_or_says_why_not() -> None:
    tested = rules_with_a_test()
    without = [r.id for r in shipped().values() if r.id not in tested and not r.untested]
    assert without == []
    both = [r.id for r in shipped().values() if r.id in tested and r.untested and not r.only_with]
    assert both == []


def test_each_test_names_a_shipped_rule() -> None:
    assert rules_with_a_test() - set(shipped()) == set()


def test_the_documents_have_as_many_rules_as_were_drafted() -> None:
    """Fewer means that one was lost; more are additions of this project."""
    counts = {"luaevent": 130, "luahop": 98}
    for document, count in counts.items():
        assert sum(rule.document == document for rule in shipped().values()) >= count
