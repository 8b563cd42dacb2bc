"""Items are worked on ahead, but not far, in order, and an error is that of its item alone."""

import threading

import pytest

from hf_model.pictures.reading_ahead import calls_ahead


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_order_and_an_error_stays_with_its_item(workers):
    def call(item):
        if item == 3:
            raise ValueError("three")
        return 10 * item

    calls = list(calls_ahead(call, range(6), workers))
    assert [calls[item]() for item in (0, 1, 2, 4, 5)] == [0, 10, 20, 40, 50]
    with pytest.raises(ValueError, match="three"):
        calls[3]()
    assert list(calls_ahead(call, [], workers)) == []


def test_no_more_than_the_workers_are_ahead_and_breaking_off_ends_them():
    taken, threads = [], set()

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    def call(item):
        threads.add(threading.current_thread().name)
        return item

    calls = calls_ahead(call, items(), 3)
    for expected in range(5):
        assert next(calls)() == expected
        assert len(taken) <= expected + 4
    calls.close()
    assert all(name.startswith("ahead") for name in threads)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_a_single_item_starts_no_thread():
    before = threading.active_count()
    (only,) = calls_ahead(lambda item: threading.active_count(), ["one"], 4)
    assert only() == before
