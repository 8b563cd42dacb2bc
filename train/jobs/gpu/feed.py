"""Augmented batches from many processes through shared memory: a GPU takes thousands of pictures a second.

Everything passes :func:`train.augment.augment` and :func:`hf_model.pictures.resize.resize`, as in ``train/batches.py``.
"""

import multiprocessing
import os
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import PIL.Image

from hf_model.pictures.resize import resize
from train.augment import augment
from train.jobs.gpu.packs import shared_array
from train.recipe import Recipe

T = TypeVar("T")
SLOTS = 2  # batches that each process may be ahead


class Feed:
    """Batches in order, of shuffled passes over ``rows``, each made by one of the processes in turn.

    Args:
        chips: (N, 200, 200, 3) uint8, in shared memory.
        rows: those that one pass shows, as often as it shows them.
        recipe: its changes, batch size, seed, and the size of its first stage; :attr:`size` may be changed and counts
            for what is begun later.
        workers: how many processes.
    """

    def __init__(self, chips: np.ndarray, rows: np.ndarray, recipe: Recipe, workers: int):
        self.chips, self.rows, self.ranges, self.seed = chips, rows, recipe.augmentation, recipe.seed
        self.batch_size, self.steps = recipe.batch_size, len(rows) // recipe.batch_size
        if not self.steps:
            raise ValueError(f"{len(rows)} faces are fewer than a batch of {recipe.batch_size}.")
        context = multiprocessing.get_context("fork")
        self._size = context.Value("i", recipe.stages[0].size)
        largest = max(stage.size for stage in recipe.stages)
        self._pixels = shared_array((workers * SLOTS, self.batch_size * largest * largest * 3))
        self._sizes = shared_array((workers * SLOTS,), np.int32)
        self._free = [context.Semaphore(SLOTS) for _ in range(workers)]
        self._full = [context.Semaphore(0) for _ in range(workers)]
        self.workers = [context.Process(target=self._work, args=(worker,), daemon=True) for worker in range(workers)]
        for process in self.workers:
            process.start()

    @property
    def size(self) -> int:
        """Side of the pictures that are made from now on."""
        return self._size.value

    @size.setter
    def size(self, size: int) -> None:
        self._size.value = size

    def rows_of(self, batch: int) -> np.ndarray:
        """The rows of a batch, counted from the first pass on."""
        whole, step = divmod(batch, self.steps)
        order = np.random.default_rng((self.seed, whole)).permutation(self.rows)
        return order[step * self.batch_size : (step + 1) * self.batch_size]

    def _work(self, worker: int) -> None:
        os.nice(1)  # below the process that feeds the GPU
        turn, batch = 0, worker
        while True:
            self._free[worker].acquire()
            slot, size = worker * SLOTS + turn % SLOTS, self.size
            images = self.chips[self.rows_of(batch)]
            random = np.random.default_rng((self.seed, batch, 1))
            out = self._pixels[slot, : len(images) * size * size * 3].reshape(len(images), size, size, 3)
            for place, (image, other) in enumerate(zip(images, np.roll(images, 1, axis=0), strict=True)):
                out[place] = resize(PIL.Image.fromarray(augment(image, self.ranges, random, other)), size)
            self._sizes[slot] = size
            self._full[worker].release()
            turn, batch = turn + 1, batch + len(self.workers)

    def take(self, batch: int, use: Callable[[np.ndarray], T]) -> tuple[np.ndarray, T]:
        """The rows of the next batch and what ``use`` makes of its pictures (N, S, S, 3); they are overwritten
        afterwards.

        Args:
            batch: counts up by one from call to call.
        """
        worker, turn = batch % len(self.workers), batch // len(self.workers)
        self._full[worker].acquire()
        slot = worker * SLOTS + turn % SLOTS
        size = int(self._sizes[slot])
        rows = self.rows_of(batch)
        used = use(self._pixels[slot, : len(rows) * size * size * 3].reshape(len(rows), size, size, 3))
        self._free[worker].release()
        return rows, used

    def close(self) -> None:
        """Ends the processes."""
        for process in self.workers:
            process.terminate()
