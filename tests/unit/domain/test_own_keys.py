"""Choice of the key to sign with, and the status of a process's own keys."""

from datetime import datetime

import pytest

from handoff.domain.directory import RETIREMENT_GRACE
from handoff.domain.founding import key_registration
from handoff.domain.own_keys import KeyStatus, OwnKeys
from handoff.record.events import directory as d
from handoff.record.signing import SigningKey
from tests.support.dsl.builders import JURISDICTION, key_of
from tests.support.dsl.spec import COORDINATION, HOUR, POLICE, SHELTER, T0, Sent, given

NEXT = SigningKey(b"n" * 32)
ROTATING = OwnKeys(POLICE, key_of(POLICE), NEXT)
register = Sent(COORDINATION, key_registration(JURISDICTION, POLICE, NEXT))
revoke = Sent(COORDINATION, d.KeyRevoked(key=key_of(POLICE).id))
retire = Sent(COORDINATION, d.KeyRetired(key=key_of(POLICE).id))
SOON, LATE = T0 + HOUR, T0 + HOUR + 2 * RETIREMENT_GRACE


@pytest.mark.parametrize(
    ("history", "keys", "at", "expected"),
    [
        ((), ROTATING, SOON, (key_of(POLICE), KeyStatus.IN_FORCE)),
        ((register,), ROTATING, SOON, (NEXT, KeyStatus.IN_FORCE)),
        ((register, revoke), ROTATING, SOON, (NEXT, KeyStatus.IN_FORCE)),
        ((revoke,), ROTATING, SOON, (None, KeyStatus.UNREGISTERED)),
        ((revoke,), OwnKeys(POLICE, key_of(POLICE)), SOON, (None, KeyStatus.REVOKED)),
        ((retire,), OwnKeys(POLICE, key_of(POLICE)), SOON, (key_of(POLICE), KeyStatus.IN_FORCE)),
        ((retire,), OwnKeys(POLICE, key_of(POLICE)), LATE, (None, KeyStatus.RETIRED)),
        ((), OwnKeys(POLICE, NEXT), SOON, (None, KeyStatus.UNREGISTERED)),
        ((), OwnKeys(POLICE, key_of(SHELTER)), SOON, (None, KeyStatus.UNREGISTERED)),
    ],
    ids=[
        "the next key is not registered yet",
        "the next key is registered",
        "the current key is revoked",
        "only the current key is revoked, the next is not registered",
        "the only key is revoked",
        "the only key is retired, in its grace",
        "the only key is retired, after its grace",
        "an unregistered key",
        "the key of another member",
    ],
)
def test_a_process_signs_with_the_newest_of_its_keys_that_is_in_force(
    history: tuple[Sent, ...], keys: OwnKeys, at: datetime, expected: tuple[SigningKey | None, KeyStatus]
) -> None:
    directory = given(*history).record.directory
    assert (keys.signing(directory, at), keys.status(directory, at)) == expected


@pytest.mark.parametrize("status", KeyStatus)
def test_keys_have_ended_if_they_were_in_force_once(status: KeyStatus) -> None:
    assert status.has_ended is (status in {KeyStatus.RETIRED, KeyStatus.REVOKED})
