"""Work on the next items while the last ones are used, in order and with bounded memory."""

import collections
import concurrent.futures
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator


def calls_ahead(call: Callable, items: Iterable, workers: int) -> Iterator[Callable]:
    """For each item, in order, a function that gives or raises what ``call(item)`` gives or raises.

    Args:
        call: runs on threads, several times at once; with one worker or a single item when its function is called.
        items: taken on the caller's thread, no more than ``workers`` ahead.
        workers: how many items are worked on beside each other.
    """
    items = iter(items)
    first = list(itertools.islice(items, 2))
    if len(first) < 2 or workers < 2:
        for item in itertools.chain(first, items):
            yield functools.partial(call, item)
        return
    pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="ahead")
    ahead: collections.deque[concurrent.futures.Future] = collections.deque()
    try:
        for item in itertools.chain(first, items):
            ahead.append(pool.submit(call, item))
            if len(ahead) > workers:
                yield ahead.popleft().result
        while ahead:
            yield ahead.popleft().result
    finally:
        pool.shutdown(cancel_futures=True)
