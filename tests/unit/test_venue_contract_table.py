"""Which contracts settle which market, and under which domain their orders are signed."""

import pytest

from services.venue.contracts import ALL, NEG_RISK, POSITIONS, STANDARD, contract_of, is_position_id, tokens_of
from services.venue.node import addresses
from services.venue.signing import exchange_domain
from tests.venue_chain import NO, YES

# As the mainnet's contracts answer (venue.md 4.1).
SEPARATORS = {
    STANDARD: "3264e159346253e26a64e00b69032db0e7d32f94628de3e6eecb50304d7af3d2",
    NEG_RISK: "9b858f53327b0bd13af8ec14cfb35234fb9eb7b0504d1a4e61f433840d30e81a",
    POSITIONS: "466c63910185bbd55e8679264200c4e0abdcbb0c6264eb3d41d13326022e095b",
}
POSITION = 0x01 << 248 | 0xABCDEF << 104 | 1


def test_every_exchange_has_the_domain_of_its_original():
    assert {one: exchange_domain(one).hex() for one in ALL} == SEPARATORS


@pytest.mark.parametrize(
    ("version", "neg_risk", "contract"),
    [("v1", False, STANDARD), ("v1", True, NEG_RISK), ("v2", False, POSITIONS), ("v2", True, POSITIONS)],
)
def test_a_markets_version_and_kind_choose_its_contracts(version, neg_risk, contract):
    assert contract_of(version, neg_risk=neg_risk) is contract


def test_a_version_that_is_not_known_is_refused_by_name():
    with pytest.raises(ValueError, match="unknown market version: v3"):
        contract_of("v3", neg_risk=False)


def test_a_tokens_id_says_which_contract_keeps_it():
    assert [is_position_id(one) for one in (POSITION, str(POSITION), YES, NO)] == [True, True, False, False]
    assert tokens_of(POSITION) == addresses.POSITION_MANAGER
    assert tokens_of(YES) == addresses.CONDITIONAL_TOKENS
