"""Sums of news: they add up, leak away, name their beginning, and count a thing once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.sequence import LEAK_S, News

SECOND = 1_000_000_000
ONE = np.zeros(1, np.int64)


def tick(news: News, second: float, *scores: float) -> tuple[News, np.ndarray]:
    """Windows of program 0 that closed at one second."""
    begin = np.full(len(scores), int(second * SECOND))
    return news.after(np.array(scores), np.zeros(len(scores), np.int64), begin, begin + SECOND)


def test_small_news_add_up_and_say_since_when():
    """Five new things in five windows weigh nearly as much as all of them in one."""
    news = News.none(1)
    for second in range(100, 105):
        news, sums = tick(news, second, 2.0)
    assert 9 < sums[0] < 10
    assert news.onset_ns[0] == 100 * SECOND


def test_a_sum_leaks_away_and_another_begins():
    """After minutes of nothing new a sum is over, and the next one has its own beginning."""
    news, _ = tick(News.none(1), 0, 2.0)
    news, sums = tick(news, 5 * LEAK_S, 2.0)
    assert sums[0] == pytest.approx(2.0, abs=0.1)
    assert news.onset_ns[0] == 5 * LEAK_S * SECOND


def test_a_clock_that_is_set_back_keeps_no_sum():
    """A sum of a time that lies hours ahead is over, and what follows leaks as ever."""
    news, _ = tick(News.none(1), 100_000, 5.0)
    news, sums = tick(news, 90_000, 2.0)
    assert sums[0] == pytest.approx(2.0, abs=0.1)
    news, sums = tick(news, 90_000 + 5 * LEAK_S, 2.0)
    assert sums[0] == pytest.approx(2.0, abs=0.1)
    _, sums = tick(news, 90_001 + 5 * LEAK_S, 2.0)
    assert sums[0] == pytest.approx(4.0, abs=0.1)


def test_windows_of_one_moment_tell_one_thing():
    """A hundred processes that take the same new path in one second are one piece of news."""
    _, one = tick(News.none(1), 0, 3.0)
    _, many = tick(News.none(1), 0, *[3.0] * 100)
    assert (many == one[0]).all()


def test_windows_without_news_have_no_sum_and_change_nothing():
    """Evidence is told where there is some, not in every quiet window after it."""
    news, _ = tick(News.none(1), 0, 5.0)
    same, sums = tick(news, 1, 0.0, 0.0)
    assert not sums.any()
    assert same.level[0] == news.level[0]


def test_an_alert_spends_the_sum_and_programs_do_not_mix():
    """What was told does not alert again, and one program's news is not another's."""
    at = np.zeros(2, np.int64)
    news, sums = News.none(3).after(np.array([4.0, 1.0]), np.array([2, 0]), at, at + SECOND)
    assert sums.tolist() == [4.0, 1.0]
    assert news.level.tolist() == [1.0, 0.0, 4.0]
    assert news.spent(np.array([2])).level.tolist() == [1.0, 0.0, 0.0]


@given(st.lists(st.tuples(st.floats(0, 300), st.floats(0, 20)), min_size=1, max_size=30))
def test_a_sum_is_never_more_than_what_was_told(windows: list[tuple[float, float]]):
    """Whatever the order and the gaps, also backwards, a sum stays within its parts."""
    news, told = News.none(1), 0.0
    for second, score in windows:
        news, sums = tick(news, second, score)
        told += score
        assert 0 <= sums[0] <= told + 1e-9
        if score > 0:
            assert sums[0] >= score
