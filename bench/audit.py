"""The audit of a very long case: its pages, its timeline and the answers to an auditor's questions."""

import asyncio

from bench.bundle import store_record
from bench.case import answered
from bench.long_record import LongRecord
from bench.report import Aim, Chapter
from bench.sizes import Sizes
from bench.stand import Stand
from handoff.views.replay.questions import QUESTIONS

_STORIES, _READS = 200, 2_400
_BESIDE = 2_000
_PAGES = {"list": "", "swimlanes": "/lanes", "questions": "/questions", "changes": "/changes", "raw record": "/record"}
_NOT_OF_ALL = {"after-withdrawal", "as-of"}
"""Questions that need a withdrawal, or a parameter."""


def audit(stand: Stand, _sizes: Sizes) -> Chapter:
    """Read a case of 4,000 entries in every form."""
    jurisdiction = stand.jurisdiction()
    record = LongRecord(jurisdiction.plan, 8 * _STORIES + _READS + _BESIDE, _STORIES, _READS)
    stand.progress(f"a record with a case of {len(record.case_events):,} entries is stored")
    asyncio.run(store_record(jurisdiction, record))
    case = record.case
    paths = {f"the page {name}": f"/timelines/{case}{below}" for name, below in _PAGES.items()}
    paths["the timeline"] = f"/cases/{case}/timeline"
    paths |= {f"the answer {name}": f"/cases/{case}/replay/{name}" for name in QUESTIONS if name not in _NOT_OF_ALL}
    findings = asyncio.run(answered(jurisdiction, record, paths, Aim(500, at_most=True), times=10))
    return Chapter("audit", "The audit of a long case", list(findings), _REMARKS)


_REMARKS = (
    f"The case has {_STORIES} referrals from request to completion and {_READS:,} reads.",
    "The first answer judges the case and checks each signature. Each later one compares each row with the judged one.",
    "The pages are rendered in this process, without a socket; a list has 250 entries on a page.",
)
