"""The rules, read from the Markdown pages in `rules/`.

A page is prose for people and data for the suite.  What counts as data:

1. A heading of the third level states a rule:
   ``### luaevent.new.independent MUST (derived): two bases share nothing``.
2. The paragraphs under it are the rule's statement.
3. The list that ends it holds the fields, ``- **Source:** ...`` and so on;
   `FIELDS` names them all.

Everything else on a page (the title, the introductions of its sections) is for
the reader alone.  This module knows no test and no implementation.
"""

from __future__ import annotations

import fnmatch
import hashlib
import importlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Never, TypeVar

from ..errors import CatalogueError, UsageError
from ..text import did_you_mean, printable, shown

if TYPE_CHECKING:
    from markdown_it.token import Token

_E = TypeVar("_E", bound=StrEnum)

RULES_FOLDER = Path(__file__).parent


class Level(StrEnum):
    """How much a rule asks for."""

    MUST = "MUST"
    MUST_NOT = "MUST NOT"
    MAY = "MAY"
    UNSPECIFIED = "UNSPECIFIED"

    @property
    def is_judged(self) -> bool:
        """Judged rules can be broken; the others are observed."""
        return self in (Level.MUST, Level.MUST_NOT)


class Basis(StrEnum):
    """Where a rule comes from."""

    STATED = "stated"
    DERIVED = "derived"
    EXTENDED = "extended"


@dataclass(frozen=True, slots=True)
class Rule:
    """One testable promise."""

    id: str
    document: str
    # what an implementation must offer to be asked; the document's own, as a rule
    profile: str
    section: str
    level: Level
    basis: Basis
    title: str
    statement: str
    source: str
    look_at: str
    not_promised: str
    needs: tuple[str, ...]
    # a name of Python's, `module.name`, without which the system has nothing to judge
    only_with: str
    # why no test can judge it (here); empty for a rule that is tested
    untested: str
    # page and line of the heading, for messages; no part of what is hashed
    where: str


# {label in the page: attribute of Rule}
FIELDS = {
    "Source": "source",
    "Profile": "profile",
    "Look at": "look_at",
    "Not promised": "not_promised",
    "Needs": "needs",
    "Only with": "only_with",
    "Untested": "untested",
}

_HEADING = re.compile(
    r"(?P<id>[a-z0-9]+(?:\.[a-z0-9_-]+)+) "
    r"(?P<level>[A-Z]+(?: [A-Z]+)?) "
    r"\((?P<basis>[a-z]+)\): "
    r"(?P<title>.+)"
)
_FIELD = re.compile(r"\*\*(?P<label>[^*:]+):\*\*\s+(?P<text>.+)", re.DOTALL)


def _missing(only_with: str) -> str:
    """Why a rule cannot be judged on this system; empty if the system has what it needs."""
    module, _, name = only_with.rpartition(".")
    if not module or hasattr(importlib.import_module(module), name):
        return ""
    return f"this system has no {name}."


def _not_hashed(rule: Rule) -> set[str]:
    """The fields that are not the page's own: they depend on its place and on the system."""
    return {"where", "untested"} if rule.only_with else {"where"}


class Catalogue(Mapping[str, Rule]):
    """All rules of some pages, by id, in the order of the pages."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules: dict[str, Rule] = {}
        for rule in rules:
            if first := self._rules.get(rule.id):
                raise CatalogueError(
                    f"{rule.where}: rule {rule.id} is stated a second time; "
                    f"the first is at {first.where}: give one of them an id of its own"
                )
            self._rules[rule.id] = rule
        self._check_needs()

    def __getitem__(self, rule_id: str) -> Rule:
        return self._rules[rule_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def matching(self, patterns: Iterable[str]) -> list[Rule]:
        """The rules whose id is, or matches, one of *patterns* (``luahop.timer.*``).

        A pattern without a wildcard also stands for everything below it:
        ``luahop.timer`` is ``luahop.timer.*``.  Raises UsageError for a
        pattern that matches nothing.
        """
        chosen: set[str] = set()
        for pattern in patterns:
            found = {rule_id for rule_id in self if _matches(rule_id, pattern)}
            if not found:
                raise UsageError(
                    f"no rule matches {shown(pattern)}; {_suggestion(pattern, self)}"
                    "`looptck rules` lists them all; a profile of your own is named by --profile"
                )
            chosen |= found
        return [rule for rule in self.values() if rule.id in chosen]

    def digest(self) -> str:
        """A SHA-256 of what the rules say, independent of layout and line numbers."""
        said = [
            {k: v for k, v in asdict(rule).items() if k not in _not_hashed(rule)}
            for rule in self.values()
        ]
        said.sort(key=lambda rule: str(rule["id"]))
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def _check_needs(self) -> None:
        for rule in self.values():
            for needed in rule.needs:
                if needed not in self:
                    raise CatalogueError(
                        f"{rule.where}: {rule.id} needs {needed!r}, which no page states; "
                        "mend the id or state the rule"
                    )
        settled: set[str] = set()
        for rule_id in self:
            self._refuse_circle(rule_id, (), settled)

    def _refuse_circle(self, rule_id: str, path: tuple[str, ...], settled: set[str]) -> None:
        if rule_id in path:
            circle = " -> ".join((*path[path.index(rule_id) :], rule_id))
            raise CatalogueError(
                f"{self[rule_id].where}: rules need each other in a circle ({circle}); drop one"
            )
        if rule_id in settled:
            return
        for needed in self[rule_id].needs:
            self._refuse_circle(needed, (*path, rule_id), settled)
        settled.add(rule_id)


@cache
def shipped() -> Catalogue:
    """The rules that looptck ships."""
    return read_folder(RULES_FOLDER)


def with_pages(catalogue: Catalogue, pages: Iterable[Path]) -> Catalogue:
    """The rules of *catalogue* and of more *pages*."""
    more = [rule for page in pages for rule in read_page(page)]
    return Catalogue([*catalogue.values(), *more]) if more else catalogue


def read_folder(folder: Path) -> Catalogue:
    """All rules of the pages in *folder*.

    Raises CatalogueError, naming file and line, for anything malformed.
    """
    pages = sorted(folder.glob("*.md"))
    if not pages:
        raise CatalogueError(f"{folder}: no page of rules (*.md) here; name a folder that has some")
    return Catalogue(rule for page in pages for rule in read_page(page))


def read_page(page: Path) -> list[Rule]:
    """The rules of one page, whose document is the page's name."""
    from markdown_it import MarkdownIt  # the runner is given the rules and needs no parser

    try:
        text = printable(page.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CatalogueError(f"{page}: there is no such file; mend the name of the page") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{page}: cannot be read as UTF-8 text ({error})") from error
    parser = MarkdownIt().disable("inline")  # an inline token is read as the text it was made of
    return list(_Reader(page, parser.parse(text)).rules())


class _Reader:
    """Walks over the tokens of one page."""

    def __init__(self, page: Path, tokens: list[Token]) -> None:
        self._page = page
        self._tokens = tokens
        self._section = ""

    def rules(self) -> Iterator[Rule]:
        for at, token in enumerate(self._tokens):
            if token.type != "heading_open":
                continue
            text = self._tokens[at + 1].content
            if token.tag == "h2":
                self._section = text
            elif token.tag == "h3":
                yield self._rule(text, self._line(token), self._body(at + 3))

    def _body(self, start: int) -> list[Token]:
        """The tokens from *start* to the next heading."""
        end = start
        while end < len(self._tokens) and self._tokens[end].type != "heading_open":
            end += 1
        return self._tokens[start:end]

    def _rule(self, heading: str, line: int, body: list[Token]) -> Rule:
        match = _HEADING.fullmatch(heading)
        if match is None:
            self._fail(
                line,
                f"{heading!r} is no rule heading; write `### document.section.rule "
                "MUST (stated): what is promised`",
            )
        rule_id, document = match["id"], self._page.stem
        if not rule_id.startswith(document + "."):
            self._fail(line, f"rule {rule_id} is on the page of {document}; its id must begin so")
        level = self._member(Level, match["level"], line)
        statement = "\n\n".join(
            token.content for token in body if token.type == "inline" and token.level == 1
        )
        if not statement:
            self._fail(line, f"{rule_id} has no statement; write what is given, done and seen")
        fields = dict(self._fields(rule_id, body))
        required = ["Source"] + (["Look at"] if level.is_judged else [])
        for label in required:
            if label not in fields:
                self._fail(line, f"{rule_id} has no field {label!r}; add `- **{label}:** ...`")
        return Rule(
            id=rule_id,
            document=document,
            profile=fields.get("Profile", document),
            section=self._section,
            level=level,
            basis=self._member(Basis, match["basis"], line),
            title=match["title"],
            statement=statement,
            source=fields["Source"],
            look_at=fields.get("Look at", ""),
            not_promised=fields.get("Not promised", ""),
            needs=tuple(re.split(r",\s*", fields["Needs"])) if "Needs" in fields else (),
            only_with=(only_with := fields.get("Only with", "").strip("`")),
            untested=fields.get("Untested", "") or _missing(only_with),
            where=f"{self._page.name}:{line}",
        )

    def _fields(self, rule_id: str, body: list[Token]) -> Iterator[tuple[str, str]]:
        seen: set[str] = set()
        for token in body:
            if token.type != "inline" or token.level != 3:
                continue
            match = _FIELD.fullmatch(token.content)
            if match is None or match["label"] not in FIELDS:
                known = ", ".join(FIELDS)
                self._fail(
                    self._line(token),
                    f"{rule_id}: {token.content.splitlines()[0]!r} is no field; "
                    f"write `- **Label:** text` with one of {known}",
                )
            label = match["label"]
            if label in seen:
                self._fail(self._line(token), f"{rule_id} has {label!r} twice; join them")
            seen.add(label)
            yield label, " ".join(match["text"].split())

    def _member(self, kind: type[_E], value: str, line: int) -> _E:
        try:
            return kind(value)
        except ValueError:
            known = ", ".join(kind)
            self._fail(line, f"{value!r} is no {kind.__name__.lower()}; choose one of {known}")

    def _line(self, token: Token) -> int:
        return token.map[0] + 1 if token.map else 0

    def _fail(self, line: int, reason: str) -> Never:
        raise CatalogueError(f"{self._page}:{line}: {reason}")


def _matches(rule_id: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(rule_id, pattern) or rule_id.startswith(pattern + ".")


def _suggestion(pattern: str, known: Iterable[str]) -> str:
    """A rule, or the beginning of some, that *pattern* is near to."""
    stem, wildcard, _ = pattern.partition(".*")
    candidates: dict[str, None] = {}
    for rule_id in known:
        parts = rule_id.split(".")
        for length in range(1, len(parts) + (not wildcard)):
            candidates[".".join(parts[:length]) + wildcard] = None
    return did_you_mean(stem + wildcard, candidates)
