"""The requests from which the page is fuzzed, and some that are broken; atheris makes more."""

import numpy as np

from mnist_arch.page.app import application
from tests.endurance.fuzz import STATUSES, answering, seeds
from tests.endurance.hostile import broken
from tests.page.factories import untrained


def test_sound_requests_are_answered_and_broken_ones_refused_in_one_line() -> None:
    sound = [*seeds()]
    draws = np.random.default_rng(0)
    with answering(application(untrained("mlp"))) as answer:
        # Two are not to be answered: text for a picture, and one of another site's page.
        assert [answer(each) for each in sound] == [200] * (len(sound) - 2) + [415, 403]
        statuses = {answer(broken(sound[i % len(sound)], draws)) for i in range(300)}
    assert {200, 400, 403} <= statuses <= STATUSES
