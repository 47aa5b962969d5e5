"""Broken and hostile files for every reader: some of those of the long run, the same each time."""

import pytest

from tests.endurance.hostile import FINE, READERS, tally


@pytest.mark.parametrize("name", READERS)
def test_a_broken_file_is_read_as_it_is_or_refused_in_one_line(name: str) -> None:
    outcomes, faults = tally(name, 20, seed=1)
    assert faults == []
    assert outcomes.keys() <= {*FINE}
    assert outcomes["as it was"] < 20
