"""Copied wording: how well it is found in our own reports, and how long it takes for 100,000 passages.

``python benchmarks/copies.py`` writes ``benchmarks/copies.json`` with machine, commit and versions, and prints a table. The
reports are read from their files; what was copied on purpose is said in ``corpora/gold``. Every passage counts as background,
the role that the search trusts least, for no tagger runs here. The 100,000 passages are clauses of our own reports without
figures (of sentences made of figures only the same figures count), strewn anew, one figure each, with forms that all share and
with copies in known places.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from where import ROOT, where

from nlp.copies import Wording, find_copies
from nlp.reading import read_report
from nlp.records import Identity, Passage, ReportCard, Role, Source, StoredPassage, Tags

RESULT = ROOT / "benchmarks" / "copies.json"
# Copied paragraphs of the gold that say what an office is for. They are left out on purpose: repeating them is no fault.
# Listed by hand, so that the benchmark does not ask the search what the search should find.
DUTIES = frozenset(
    f"{name}-2022#b1"
    for name in "civilaffairs ecology finance housing hrss market mch police rural water".split()  # noqa: SIM905
) | {"forest-2022#b2"}
DEPARTMENTS, YEARS, PASSAGES = 250, range(2020, 2025), 80
FORMS = (
    "{}严格落实过紧日子要求，按照财政部门统一部署组织开展绩效自评，确保数据真实、口径一致、依据充分。",
    "自评工作由{}财务部门牵头，各业务部门配合，采取单位自查与集中复核相结合的方式进行，做到全面覆盖。",
    "评价结果报同级财政部门备案，作为{}以后年度编制预算、改进管理和完善政策的重要参考，并按规定公开。",
    "{}各项支出均履行了审批手续，会计核算规范，资金使用符合有关法律法规和财务管理制度的规定，未见挪用。",
)


def golds() -> list[dict[str, Any]]:
    """Return the gold of all reports."""
    return [json.loads(path.read_text("utf-8")) for path in sorted((ROOT / "corpora" / "gold").glob("*.json"))]


def plain(text: str) -> str:
    """Return what texts are matched by: the reader and the gold differ in marks and blanks."""
    return re.sub(r"[\W_]", "", text)


def stored(reports: list[dict[str, Any]]) -> list[StoredPassage]:
    """Return the passages of the reports as they are read from their files."""
    found: list[StoredPassage] = []
    for gold in reports:
        path = ROOT / "corpora" / gold["file"]
        report = read_report(path.read_bytes(), gold["file"])
        card = ReportCard(str(gold["id"]), report.identity, report.source)
        tags = Tags(Role.BACKGROUND, 1.0)
        found += [StoredPassage(len(found) + i, p, tags, card) for i, p in enumerate(report.passages)]
    return found


@dataclass(frozen=True)
class Score:
    """Right, wrong and missed copies, and of how many right ones the original is right too."""

    right: int
    wrong: int
    missed: int
    originals: int

    def as_json(self) -> dict[str, Any]:
        """Return the counts with precision and recall."""
        return {
            "right": self.right,
            "wrong": self.wrong,
            "missed": self.missed,
            "precision": round(self.right / (self.right + self.wrong), 4),
            "recall": round(self.right / (self.right + self.missed), 4),
            "originals right": round(self.originals / self.right, 4),
        }


def score_gold(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how well the copies of our own reports are found.

    A pair is right where its text holds, or is held by, a passage that the gold says is a copy; its original is right where it
    has the text of the gold's original and is of the nearest earlier year that has it.
    """
    passages = stored(reports)
    texts = {f"{gold['id']}#{item['id']}": plain(item["text"]) for gold in reports for item in gold["passages"]}
    copies = {
        f"{gold['id']}#{item['id']}": str(item["copies"])
        for gold in reports
        for item in gold["passages"]
        if item["copies"]
    }
    wanted = {copy: original for copy, original in copies.items() if original not in DUTIES}
    right: dict[str, bool] = {}
    wrong = 0
    for pair in find_copies(passages).pairs:
        text, its = plain(pair.passage.passage.text), plain(pair.original.passage.text)
        own = [copy for copy in wanted if copy.startswith(f"{pair.passage.report.id}#") and _same(texts[copy], text)]
        wrong += not own
        for copy in own:
            holders = [found.report.id for found in passages if _same(plain(found.passage.text), texts[copy])]
            nearest = max(holder for holder in holders if holder < pair.passage.report.id)
            right[copy] = pair.original.report.id == nearest and _same(its, texts[wanted[copy]])
    score = Score(len(right), wrong, len(wanted) - len(right), sum(right.values()))
    return {
        "reports": len(reports),
        "passages": len(passages),
        "copies in the gold": len(copies),
        "of them duties": len(copies) - len(wanted),
        **score.as_json(),
        "missed ones": sorted(wanted.keys() - right.keys()),
    }


def _same(first: str, second: str) -> bool:
    """Return whether one text holds the other, and both are long enough to tell."""
    return min(len(first), len(second)) >= 20 and (first in second or second in first)


@dataclass(frozen=True)
class Planted:
    """A strewn text: how it was copied and from which passage, or neither where it is new or a form's."""

    text: str
    wording: Wording | None = None
    original: StoredPassage | None = None
    is_form: bool = False


def strew(clauses: list[str], chance: random.Random) -> tuple[list[StoredPassage], dict[int, Planted]]:
    """Return 100,000 passages, and what was planted at the row of each copy."""
    found: list[StoredPassage] = []
    copies: dict[int, Planted] = {}
    last_year: dict[str, list[StoredPassage]] = {}
    for year in YEARS:
        this_year: dict[str, list[StoredPassage]] = {}
        for number in range(DEPARTMENTS):
            name = f"云屏省{_code(number)}县教育局"
            card = ReportCard(f"{number}-{year}", Identity(department=name, year=year), Source("", "", "txt"))
            for planted in _texts(name, last_year, clauses, chance):
                passage = Passage(f"{len(found)}", planted.text, 0, len(planted.text), ("六、存在问题",))
                stored_one = StoredPassage(len(found), passage, Tags(Role.PROBLEM, 1.0), card)
                found.append(stored_one)
                if planted.original is not None:
                    copies[stored_one.row] = planted
                elif not planted.is_form:
                    this_year.setdefault(name, []).append(stored_one)
        last_year = this_year
    return found, copies


def _texts(
    name: str, last_year: dict[str, list[StoredPassage]], clauses: list[str], chance: random.Random
) -> Iterator[Planted]:
    """Yield the texts of a report: eight from the department's last one, two from others, the forms, and new ones."""
    old: list[StoredPassage] = []
    if last_year:
        others = chance.sample(sorted(last_year.keys() - {name}), 2)
        old = [*chance.sample(last_year[name], 8), *(chance.choice(last_year[other]) for other in others)]
    for original in old:
        wording = chance.choice(list(Wording))
        yield Planted(_rewritten(original.passage.text, wording, chance), wording, original)
    for form in FORMS:
        yield Planted(form.format(name), is_form=True)
    for _ in range(PASSAGES - len(FORMS) - len(old)):
        yield Planted("，".join(chance.sample(clauses, 4)) + f"，涉及资金{chance.randrange(100, 9999)}万元。")


def _rewritten(text: str, wording: Wording, chance: random.Random) -> str:
    """Return a text as somebody would copy it: as it is, with other figures, or with a word or two changed."""
    if wording is Wording.IDENTICAL:
        return text
    text = re.sub(r"\d+(?=万元。)", lambda match: f"{int(match.group()) + 7}", text)
    if wording is Wording.NEAR:
        for _ in range(1 + len(text) // 60):
            place = chance.randrange(2, len(text) - 12)
            text = f"{text[:place]}某些{text[place + 2 :]}"
    return text


def _code(number: int) -> str:
    return "".join("甲乙丙丁戊己庚辛壬癸"[int(digit)] for digit in f"{number:03d}")


def score_strewn(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how well and how fast copies are found among 100,000 passages."""
    pieces = (re.split(r"[，。；：]", item["text"]) for gold in reports for item in gold["passages"])
    clauses = sorted({piece for own in pieces for piece in own if re.fullmatch(r"\D{8,24}", piece)})
    passages, planted = strew(clauses, random.Random(0))  # noqa: S311 -- a draw, no secret
    begun = time.perf_counter()
    pairs = find_copies(passages).pairs
    seconds = time.perf_counter() - begun
    found = {pair.passage.row: pair for pair in pairs}
    hits = planted.keys() & found.keys()
    originals = sum(found[row].original is planted[row].original for row in hits)
    counts = Counter(one.wording for one in planted.values())
    return {
        "passages": len(passages),
        "seconds": round(seconds, 1),
        "copies planted": len(planted),
        **Score(len(hits), len(found) - len(hits), len(planted) - len(hits), originals).as_json(),
        "recall by wording": {
            wording.value: round(sum(planted[row].wording is wording for row in hits) / counts[wording], 4)
            for wording in Wording
        },
    }


def main() -> None:
    """Measure, write and print."""
    reports = golds()
    result = {
        **where("datasketch", "numpy"),
        "our reports": score_gold(reports),
        "100,000 passages": score_strewn(reports),
    }
    RESULT.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", "utf-8")
    print(f"{'':20}{'passages':>10}{'right':>8}{'wrong':>8}{'missed':>8}{'precision':>11}{'recall':>8}{'seconds':>9}")
    for name in ("our reports", "100,000 passages"):
        row: dict[str, Any] = result[name]  # type: ignore[assignment]
        print(
            f"{name:20}{row['passages']:10,}{row['right']:8,}{row['wrong']:8,}{row['missed']:8,}"
            f"{row['precision']:11.3f}{row['recall']:8.3f}{row.get('seconds', ''):>9}"
        )


if __name__ == "__main__":
    main()
