"""Writing of a pack: all files or none, and one hash over them."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from handoff.adapters.postgres.figure_reader import read_facts
from handoff.adapters.postgres.pool import open_pool
from handoff.config import JurisdictionPlan, PostgresSettings
from handoff.operations.errors import OperationError
from handoff.operations.quarterly_pack.contents import PackContents, pack_contents
from handoff.operations.quarterly_pack.csv_tables import definitions_csv, figures_csv
from handoff.operations.quarterly_pack.report import report_pdf
from handoff.views.figures.facts import Places
from handoff.views.figures.period import Quarter
from handoff.views.figures.tables import Thresholds

HASHES = "SHA256SUMS"


class PackRefused(OperationError):
    """A pack that cannot be made. The message has the reason and the action to take."""


@dataclass(frozen=True, slots=True)
class WrittenPack:
    """A written pack. ``sha256`` is the hash of its list of hashes."""

    directory: Path
    quarter: str
    as_of: datetime
    sha256: str
    files: tuple[str, ...]
    silent: tuple[str, ...]


async def read_contents(
    timeline: PostgresSettings, plan: JurisdictionPlan, quarter: Quarter, as_of: datetime | None = None
) -> PackContents:
    """Compute the contents of the pack of ``quarter``, as of the newest record time or an earlier ``as_of``.

    Takes some seconds for a thousand handoffs. Raises PackRefused, OSError and asyncpg's errors.
    """
    members = tuple(member.id for member in plan.members if member.offers)
    places = {m.id: Places(m.places.licensed, m.places.staffed) for m in plan.members if m.places is not None}
    async with open_pool(timeline, max_size=1) as pool:
        read = await read_facts(pool, members, places, as_of)
    if as_of is not None and as_of > read.record_time:
        raise PackRefused(f"as_of is after the newest record time, {read.record_time.isoformat()}")
    return pack_contents(plan.name, read.facts, quarter, as_of or read.record_time, Thresholds(), rules=read.rules)


def write_pack(contents: PackContents, directory: Path) -> WrittenPack:
    """Write the files of a pack to the new ``directory``. The same contents give the same bytes.

    Raises PackRefused and OSError.
    """
    if directory.exists():
        raise PackRefused(f"{directory} exists; name a new directory")
    files = _files(contents)
    partial = directory.with_name(f"{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, content in files.items():
        (partial / name).write_bytes(content)
    partial.rename(directory)
    digest = hashlib.sha256(files[HASHES]).hexdigest()
    return WrittenPack(directory, str(contents.quarter), contents.as_of, digest, tuple(files), contents.silent)


def _files(contents: PackContents) -> Mapping[str, bytes]:
    about = {
        "jurisdiction": contents.jurisdiction,
        "quarter": str(contents.quarter),
        "time_zone": str(contents.quarter.zone),
        "as_of": contents.as_of.isoformat(),
        "clock_version": contents.clock,
        "rules_version": contents.rules,
        "smallest_cell": contents.thresholds.cell,
        "fewest_for_percentiles": contents.thresholds.median,
        "silent_institutions": contents.silent,
    }
    files = {
        "about.json": f"{json.dumps(about, indent=2)}\n".encode(),
        "definitions.csv": definitions_csv().encode(),
        "figures.csv": figures_csv(contents).encode(),
        "report.pdf": report_pdf(contents),
    }
    lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return {**files, HASHES: "".join(lines).encode()}
