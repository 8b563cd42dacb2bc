"""Work on the next items while the last ones are used, in order and with bounded memory."""

import collections
import concurrent.futures
import functools
import os
from collections.abc import Callable, Iterable, Iterator

LIGHT = (str, bytes, os.PathLike)  # not decoded yet: one more of them keeps every worker busy beside the network


def calls_ahead(
    call: Callable, items: Iterable, workers: int, snapshot: Callable = lambda item: item
) -> Iterator[Callable]:
    """For each item, in order, a function that gives or raises what ``call(snapshot(item))`` gives or raises.

    Args:
        call: runs on threads, several times at once; with one worker or a single item when its function is called.
        items: taken on the caller's thread; no more of them than there are workers are held, of paths and bytes one
            more.
        workers: how many items are worked on beside each other.
        snapshot: called on the caller's thread with each item before the next is asked for; makes it self-contained.

    Raises:
        BaseException: what taking an item from ``items`` raises, behind the functions of those before it.
    """
    left, failure = iter(items), None
    pool: concurrent.futures.Executor | None = None
    waiting: list[functools.partial] = []  # the first item, until there is a second
    ahead: collections.deque[Callable] = collections.deque()
    try:
        while True:
            try:
                item = next(left)
            except StopIteration:
                break
            except BaseException as error:
                failure = error
                break
            work = _make_work(call, snapshot, item)
            held = workers + isinstance(item, LIGHT)
            del item
            if workers < 2:
                yield work
            elif pool is None and not waiting:
                waiting = [work]
            else:
                pool = pool or concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="ahead")
                ahead += [pool.submit(one).result for one in (*waiting, work)]
                waiting = []
                if len(ahead) >= held:
                    yield ahead.popleft()
            del work
        yield from waiting
        while ahead:
            yield ahead.popleft()
        if failure is not None:
            raise failure
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _make_work(call: Callable, snapshot: Callable, item) -> functools.partial:
    """The call with the item made self-contained, or what raises the error of that."""
    try:
        return functools.partial(call, snapshot(item))
    except Exception as error:
        return functools.partial(_raise, error)


def _raise(error: Exception):
    raise error
