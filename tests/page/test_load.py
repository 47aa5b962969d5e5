"""The page under load, in small; `python -m tests.page.load` is the same in large."""

from tests.page.load import WARM, measure


def test_under_load_every_answer_is_right_rubbish_is_refused_and_memory_stays() -> None:
    outcome = measure(WARM + 200)
    assert (len(outcome.latencies), outcome.wrong) == (WARM + 200, 0)
    assert outcome.refusals
    assert set(outcome.refusals) <= {200, 400, 413}  # a changed byte need not matter
    assert outcome.refusals.count(200) < len(outcome.refusals) / 2
    assert outcome.slow_bytes > 0
    assert outcome.growth < 0.1
