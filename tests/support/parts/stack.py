"""The real parts that a test run shares, and jurisdictions on them that no two tests share."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from handoff.config import JurisdictionPlan, jurisdiction_plan
from handoff.operations.setup.jurisdiction import Jurisdiction, new_passwords
from handoff.trial.stack import TrialStack

PRIZREN = Path(__file__).parents[3] / "infra" / "prizren.toml"


@contextmanager
def throwaway_stack(brokers: Literal[1, 3] = 1) -> Iterator[TrialStack]:
    """A stack that is not started yet, in a directory that goes away with it."""
    directory = Path(tempfile.mkdtemp(prefix="handoff-"))
    stack = TrialStack(directory / "stack", brokers=brokers)
    try:
        yield stack
    finally:
        stack.discard()
        directory.rmdir()


class Jurisdictions:
    """Gives each test a jurisdiction of its own, with the members of Prizren unless a plan is given."""

    def __init__(self, stack: TrialStack) -> None:
        self._stack = stack

    async def __call__(self, plan: JurisdictionPlan | None = None) -> Jurisdiction:
        """A fresh jurisdiction with its topics, users, rights and databases."""
        jurisdiction = self.planned(plan)
        await jurisdiction.apply()
        return jurisdiction

    async def on_broker(self, plan: JurisdictionPlan | None = None) -> Jurisdiction:
        """A fresh jurisdiction with its topics, users and rights, and no database."""
        jurisdiction = self.planned(plan)
        await jurisdiction.apply_broker()
        return jurisdiction

    async def with_databases(self, plan: JurisdictionPlan | None = None) -> Jurisdiction:
        """A fresh jurisdiction with its databases, and nothing on the broker."""
        jurisdiction = self.planned(plan)
        await jurisdiction.apply_databases()
        return jurisdiction

    def planned(self, plan: JurisdictionPlan | None = None) -> Jurisdiction:
        """Fresh jurisdiction without topics or databases."""
        named = (plan or jurisdiction_plan(PRIZREN)).renamed(f"t{secrets.token_hex(4)}")
        return Jurisdiction(named, self._stack.kafka_operator, self._stack.postgres_operator, new_passwords(named))
