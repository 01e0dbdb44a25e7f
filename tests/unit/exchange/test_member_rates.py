"""Rate of one member's submissions: a burst, then a steady rate. Other members are counted apart."""

from handoff.exchange.member_rates import MemberRates
from tests.support.parts.manual_clock import ManualClock


async def test_a_burst_is_not_held_back() -> None:
    rates = MemberRates(10, 100, ManualClock().monotonic)
    assert [rates.count("police", 50), rates.count("police", 50)] == [0, 0]


async def test_beyond_its_burst_a_member_waits_for_what_it_sent() -> None:
    """A large batch is read as it is and waited for after it, so that the rate holds in the long run."""
    clock = ManualClock()
    rates = MemberRates(10, 100, clock.monotonic)
    assert rates.count("police", 150) == 5
    await clock.advance(5)
    assert rates.count("police", 10) == 1


async def test_a_member_that_rests_has_its_burst_again_and_no_more() -> None:
    clock = ManualClock()
    rates = MemberRates(10, 100, clock.monotonic)
    rates.count("police", 150)
    await clock.advance(1_000)
    assert rates.count("police", 100) == 0
    assert rates.count("police", 1) == 0.1


async def test_one_member_does_not_hold_back_another() -> None:
    rates = MemberRates(10, 100, ManualClock().monotonic)
    assert rates.count("police", 10_000) > 0
    assert rates.count("shelter", 100) == 0
