"""A run of bulk labelling on Ray: Parquet shards, in the source's order. Killed at any moment and started again, it
goes on."""

import collections
import functools
import os
import pathlib
import time
from collections.abc import Iterator

from huggingface_hub.utils import tqdm

from ..download import WEIGHTS_NAME, file_sha256, find_model
from ..network.engines.choice import choose_engine, make_engine
from ..network.engines.engine import GraphEngine
from ..network.engines.graph_files import PUBLISHED_DETECTOR, detector_files, network_file
from ..settings import Settings
from .cluster import start_ray
from .labelling import Labeller
from .shards import Shards, finished, schema
from .sources import Source, SourceError, list_source, same_file

try:
    import pyarrow
    import ray
    import ray.data
except ImportError as error:  # optional: said by start_ray
    ray, MISSING = None, error.name

BLOCK = 32  # rows that a worker is handed at once
AHEAD = 4  # blocks that wait before each worker


class OnRay:
    """A worker of Ray Data: from a block of listed rows to labelled ones."""

    def __init__(self, labeller: dict, constants: dict):
        self.labeller, self.constants = Labeller(**labeller), constants

    def __call__(self, block):
        rows = self.labeller.rows(block.to_pylist())
        made = [row | self.constants for row in rows]
        return pyarrow.Table.from_pylist(made, schema=schema(self.labeller.distribution))


def label_rows(source: Source, first: int, labeller: dict, constants: dict, workers: int) -> Iterator:
    """Arrow tables of labelled rows of a source, from row ``first`` on, in order, on a pool of Ray's actors."""
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    listed = [
        pyarrow.Table.from_pylist(source.rows[start : start + BLOCK]) for start in range(first, len(source.rows), BLOCK)
    ]
    data = ray.data.from_arrow(listed).map_batches(
        OnRay,
        fn_constructor_args=(labeller, constants),
        batch_size=None,
        batch_format="pyarrow",
        # A pool of a fixed size that holds every CPU starves Ray Data's reading after a node is lost.
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers, max_tasks_in_flight_per_actor=AHEAD),
        num_cpus=0.9,
        max_restarts=-1,
        max_task_retries=-1,
    )
    yield from data.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1)


def run(
    name: str,
    out: pathlib.Path,
    *,
    model: str,
    faces: str = "all",
    distribution: bool = False,
    engine: str = "auto",
    precision: str = "auto",
    column: str = "image",
    split: str | None = None,
    workers: int = 0,
    address: str = "local",
    kind: str | None = None,
    remote: bool = False,
    any_path: bool = False,
    reader: str | None = None,
    shard_rows: int = 1000,
) -> dict:
    """Labels a source into a folder of shards, or what is left of it; the arguments are the command line's.

    Returns:
        The summary: ``pictures``, ``faces``, ``without_face``, ``unusable`` (reason to number), ``seconds``,
        ``pictures_per_second`` of this run, ``done_before``.

    Raises:
        SourceError: the source, the folder or the cluster cannot be used; the message says what to do.
    """
    if ray is None:
        raise SourceError(f"Bulk labelling needs Ray ({MISSING} is missing): pip install 'ray[data]' pyarrow")
    folder = find_model(model, beside=PUBLISHED_DETECTOR)
    settings = Settings.load(folder)
    listed = functools.partial(list_source, name, column, split, formats=settings.reading.formats, kind=kind)
    source = listed()
    if os.path.exists(os.path.expanduser(name)) and same_file(os.path.expanduser(name), out):
        raise SourceError(f"--out {out}: lies in the source {name}, and would be read as part of it. Pass another.")
    constants = {"model_version": settings.model_version, "weights_sha256": file_sha256(folder / WEIGHTS_NAME)}
    # What "auto" means is settled here, once for all workers and for every run that goes on with this one.
    chosen = choose_engine(settings, folder, precision) if engine == "auto" else make_engine(engine, precision)
    if isinstance(chosen, GraphEngine):  # once, and not by every worker
        network_file(settings, folder, chosen.precision)
        detector_files(folder)
    options = {"faces": faces, "distribution": distribution, "engine": chosen.name, "precision": chosen.precision}
    shards = Shards(out, {"source": source.fingerprint, **options, **constants}, len(source.rows), shard_rows)
    before, start = shards.done, time.monotonic()
    if before < len(source.rows):
        workers = workers or os.cpu_count() or 1
        start_ray(address, workers)
        labeller = {"model": str(folder.resolve()), "source": (source.kind, source.column), "threads": 1, **options}
        labeller["reach"] = {"roots": None if any_path else source.roots, "remote": remote}
        labeller |= {} if reader is None else {"reader": reader}
        _write(shards, label_rows(source, before, labeller, constants, workers))
        if listed().fingerprint != source.fingerprint:
            raise SourceError(f"{name}: changed while it was read; the shards in {out} are of both states. Start anew.")
    return summary(shards, before, time.monotonic() - start)


def _write(shards: Shards, batches: Iterator) -> None:
    """Writes the shards, with a bar where someone looks on."""
    with tqdm(total=shards.rows, initial=shards.done, unit=" pictures", disable=None) as bar:

        def counted() -> Iterator:
            for batch in batches:
                yield batch
                bar.update(batch.num_rows)

        for _ in shards.write(counted()):
            pass


def summary(shards: Shards, before: int, seconds: float) -> dict:
    """What the finished shards hold, see :func:`run`."""
    unusable: collections.Counter = collections.Counter()
    pictures = faces = without = 0
    for table in finished(shards.folder):
        pictures += table.num_rows
        for found, error in zip(table["faces"].to_pylist(), table["error"].to_pylist(), strict=True):
            faces += len(found)
            without += error is None and not found
            if error is not None:
                unusable[error] += 1
    made = pictures - before
    return {
        "pictures": pictures,
        "faces": faces,
        "without_face": without,
        "unusable": dict(unusable.most_common()),
        "seconds": round(seconds, 1),
        "pictures_per_second": round(made / seconds, 2) if made and seconds else None,
        "done_before": before,
    }
