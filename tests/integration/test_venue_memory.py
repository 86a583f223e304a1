"""What a long run leaves in the venue and its node: as much in its last half as in none."""

import pytest

from bench import hour, venue

# Both grow by what is kept for ever, the exchange's word on each filled order among it, and by what the allocator makes of it all.
MOST_GROWN_MIB = 8
MOST_MIB = 250


@pytest.mark.nightly
@pytest.mark.timeout(3_600)
async def test_an_hours_traffic_leaves_nothing_behind_in_its_last_half(tmp_path):
    found = await hour.measure(tmp_path)

    assert max(found["grown_in_last_half_mib"].values()) < MOST_GROWN_MIB, found
    assert max(found["rss_mib"][-1].values()) < MOST_MIB, found


async def test_a_minutes_traffic_is_measured_and_all_of_it_settles(tmp_path):
    async with venue.running(tmp_path) as place:
        found = await hour.hour(place, 80)

    assert found["frames"] > 80
    assert len(found["rss_mib"]) == 5
