"""UTKFace (aligned chips or in-the-wild photos) as a labelled Hugging Face dataset.

One class for two worlds:

* datasets 3.x: ``load_dataset("dataset_script/utkface.py", data_dir=..., trust_remote_code=True)``
* datasets 4.x and later, which refuse loading scripts: import :class:`UTKFace` and call
  ``download_and_prepare()`` and ``as_dataset()``, or ``as_streaming_dataset()``.

The labels are in the file names: ``[age]_[gender]_[race]_[date&time].jpg[.chip.jpg]``
(https://susanqq.github.io/UTKFace/). The file runs alone; beside it lies
``duplicate_groups.csv``, the manifest of files known to show the same picture.
"""

import collections
import concurrent.futures
import csv
import dataclasses
import datetime
import hashlib
import io
import itertools
import os
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator

import datasets
import PIL.Image

logger = datasets.utils.logging.get_logger(__name__)

GENDERS = ("male", "female")
RACES = ("white", "black", "asian", "indian", "others")
MAX_AGE = 116
MANIFEST = "duplicate_groups.csv"
# Chosen once, of 300 salts, so that the shares of every 10-year age bin and of the
# genders differ by at most 1.5 points between the splits. Changing it voids all trained weights.
SPLIT_SALT = "utkface-277"
_SPLIT_ENDS = (("train", 0.8), ("validation", 0.9), ("test", 1.0))

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
_WHERE_FROM = (
    "UTKFace is to be had, for non-commercial research, from https://susanqq.github.io/UTKFace/. "
    "Pass the folder that holds its files, or its .tar.gz/.tar/.zip archives, as data_dir=..., "
    "or the archives themselves as data_files=[...]."
)
# A blank before the ending, a missing dot and odd digits in the timestamp leave the labels certain.
_NAME = {
    "aligned": re.compile(r"(?P<fields>[^.\s]*?)\s*\.?jpg\.chip\.jpg", re.IGNORECASE),
    "in_the_wild": re.compile(r"(?P<fields>[^.\s]*?)\s*\.?jpe?g", re.IGNORECASE),
}


class UnusableFile(ValueError):
    """A file that cannot become an example; ``reason`` is a short fixed word, ``detail`` says more."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclasses.dataclass(frozen=True)
class Labels:
    """What a UTKFace file name says: age in years, label names, time stamp (None where unreadable)."""

    age: int
    gender: str | None  # None: copies of the picture disagree
    race: str
    captured_at: datetime.datetime | None


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a file's bytes are: a path, and inside an archive the member's name."""

    path: str
    member: str | None = None

    @property
    def file_name(self) -> str:
        return os.path.basename(self.member or self.path)


@dataclasses.dataclass(frozen=True)
class Record:
    """One usable file: its labels, the sha256 of its bytes, and the group of files with its picture."""

    source: Source
    labels: Labels
    sha256: str
    duplicate_group: str
    label_conflict: bool

    @property
    def file_name(self) -> str:
        return self.source.file_name

    @property
    def split(self) -> str:
        return split_of(self.duplicate_group)


@dataclasses.dataclass(frozen=True)
class Skipped:
    """One file that is no example, and why."""

    file_name: str
    reason: str
    detail: str


def parse_name(file_name: str, variant: str = "aligned") -> Labels:
    """Reads the labels in a UTKFace file name.

    Labels that can be read without a guess are kept: a blank before ``.jpg``, a missing dot and a
    time stamp of odd length are tolerated (the last gives ``captured_at=None``).

    Raises:
        UnusableFile: where a field is missing, out of range or not a number.
    """
    match = _NAME[variant].fullmatch(file_name)
    if match is None or (variant == "in_the_wild" and file_name.lower().endswith(".chip.jpg")):
        endings = {"aligned": "*.jpg.chip.jpg", "in_the_wild": "*.jpg"}
        raise UnusableFile("unexpected_name", f"not of the form {endings[variant]}")
    fields = match["fields"].split("_")
    if len(fields) != 4:
        raise UnusableFile("missing_field", f"{len(fields)} fields where age_gender_race_time has 4")
    age, gender, race, time = fields
    if not re.fullmatch(r"\d{1,3}", age, re.ASCII) or int(age) > MAX_AGE:
        raise UnusableFile("age_out_of_range", f"age {age!r} is not a whole number from 0 to {MAX_AGE}")
    if not re.fullmatch(r"[01]", gender):
        raise UnusableFile("unknown_gender", f"gender {gender!r} is neither 0 (male) nor 1 (female)")
    if not re.fullmatch(r"[0-4]", race):
        raise UnusableFile("unknown_race", f"race {race!r} is not 0 to 4")
    return Labels(int(age), GENDERS[int(gender)], RACES[int(race)], _parse_time(time))


def _parse_time(text: str) -> datetime.datetime | None:
    """The 17 digits yyyymmddHHMMSSmmm as a naive time; None for anything else."""
    if not re.fullmatch(r"\d{17}", text, re.ASCII):
        return None
    try:
        return datetime.datetime.strptime(text + "000", "%Y%m%d%H%M%S%f")
    except ValueError:
        return None


def split_of(duplicate_group: str, salt: str = SPLIT_SALT) -> str:
    """The split of a group: 80/10/10 by a salted hash of its id, and of nothing else."""
    digest = hashlib.sha256(f"{salt}:{duplicate_group}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return next(name for name, end in _SPLIT_ENDS if share < end)


def read_manifest(path: str) -> dict[str, tuple[str, bool]]:
    """``{sha256: (group id, whether the group's labels disagree)}`` from the committed manifest."""
    with open(path, encoding="utf-8", newline="") as file:
        return {row["sha256"]: (row["duplicate_group"], row["label_conflict"] == "1") for row in csv.DictReader(file)}


def check_image(data: bytes) -> None:
    """Raises :class:`UnusableFile` unless the bytes decode to a whole picture."""
    if not data:
        raise UnusableFile("empty_file", "the file has no bytes")
    try:
        with PIL.Image.open(io.BytesIO(data)) as image:
            if image.format != "JPEG":
                raise UnusableFile("not_a_jpeg", f"the content is {image.format}")
            image.load()
    except UnusableFile:
        raise
    except PIL.UnidentifiedImageError:
        raise UnusableFile("undecodable_image", "the content is not a picture") from None
    except Exception as error:  # Pillow's decoders raise many kinds; each means: not a whole picture
        reason = "truncated_image" if "truncated" in str(error) else "undecodable_image"
        raise UnusableFile(reason, str(error)) from None


def find_sources(paths: Iterable[str]) -> list[str]:
    """The files and archives under the given paths, sorted; links to folders are not followed.

    Raises:
        FileNotFoundError: a path does not exist, or nothing at all was found.
    """
    found = []
    for path in paths:
        if not os.path.exists(path):
            raise FileNotFoundError(f"UTKFace: {path!r} does not exist. {_WHERE_FROM}")
        if os.path.isfile(path):
            found.append(path)
            continue
        for folder, subfolders, names in os.walk(path):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            found.extend(os.path.join(folder, name) for name in sorted(names) if not name.startswith("."))
    if not found:
        raise FileNotFoundError(f"UTKFace: no file under {list(paths)}. {_WHERE_FROM}")
    return found


def iter_bytes(path: str) -> Iterator[tuple[Source, bytes]]:
    """Each file at ``path``, an archive's members one after the other, with its bytes.

    Nothing is extracted to disk.

    Raises:
        OSError: a broken archive; half a dataset must not pass for the whole.
    """
    if not path.lower().endswith(_ARCHIVES):
        with open(path, "rb") as file:
            yield Source(path), file.read()
        return
    try:
        if path.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if not info.is_dir():
                        yield Source(path, info.filename), archive.read(info)
        else:
            with tarfile.open(path, "r|*") as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.isfile() else None
                    if content is not None:
                        yield Source(path, member.name), content.read()
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise OSError(f"UTKFace: the archive {path!r} is broken ({error}). Download it again.") from error


def index_files(
    paths: Iterable[str],
    manifest: dict[str, tuple[str, bool]],
    variant: str = "aligned",
    check_images: bool = True,
) -> tuple[list[Record], list[Skipped]]:
    """Reads every file once: labels, hash, duplicate group, and whether it can be used at all.

    Args:
        paths: folders, files or archives.
        manifest: from :func:`read_manifest`.
        variant: ``"aligned"`` or ``"in_the_wild"``.
        check_images: decode each picture too (about a millisecond each).

    Returns:
        The usable files in a fixed order, and the others with their reasons. Files whose group
        disagrees on age or gender are among the usable, marked ``label_conflict``.
    """

    def examine(item: tuple[Source, bytes]) -> tuple[Source, Labels, str] | Skipped:
        source, data = item
        try:
            labels = parse_name(source.file_name, variant)
            if check_images or not data:
                check_image(data)
        except UnusableFile as error:
            return Skipped(source.file_name, error.reason, error.detail)
        return source, labels, hashlib.sha256(data).hexdigest()

    found: list[tuple[Source, Labels, str]] = []
    skipped: list[Skipped] = []
    seen: set[tuple[str, str]] = set()
    everything = itertools.chain.from_iterable(map(iter_bytes, find_sources(paths)))
    progress = datasets.utils.tqdm(desc="Reading UTKFace", unit=" files")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool, progress:
        while chunk := list(itertools.islice(everything, 256)):  # bounded: never all bytes at once
            for result in pool.map(examine, chunk):
                if isinstance(result, Skipped):
                    skipped.append(result)
                elif (key := (result[0].file_name, result[2])) in seen:
                    skipped.append(Skipped(key[0], "repeated_file", "same name and bytes as another file"))
                else:
                    seen.add(key)
                    found.append(result)
            progress.update(len(chunk))

    members: dict[str, set[tuple[int, str | None]]] = collections.defaultdict(set)
    for _, labels, sha256 in found:
        members[manifest.get(sha256, (sha256, False))[0]].add((labels.age, labels.gender))
    records = []
    for source, labels, sha256 in found:
        # A file that is not in the manifest is a group of its own with its byte-identical copies.
        group, conflict = manifest.get(sha256, (sha256, False))
        records.append(Record(source, labels, sha256, group, conflict or len(members[group]) > 1))
    return records, skipped


def settle_conflicts(records: list[Record]) -> dict[Source, Record]:
    """Of each training group whose labels disagree one copy, that with the smallest sha256 and file name.

    Its age is the group's mean, rounded; its gender None where the copies disagree.
    """
    groups: dict[str, list[Record]] = collections.defaultdict(list)
    for record in records:
        if record.label_conflict and record.split == "train":
            groups[record.duplicate_group].append(record)
    kept = {}
    for members in groups.values():
        first = min(members, key=lambda record: (record.sha256, record.file_name))
        genders = {record.labels.gender for record in members}
        age = round(sum(record.labels.age for record in members) / len(members))
        gender = genders.pop() if len(genders) == 1 else None
        labels = dataclasses.replace(first.labels, age=age, gender=gender)
        kept[first.source] = dataclasses.replace(first, labels=labels)
    return kept


def report(records: list[Record], skipped: list[Skipped]) -> str:
    """The table of counts by reason that ends a build."""
    counts = collections.Counter(item.reason for item in skipped)
    width = max(map(len, [*counts, "usable"]))
    lines = [f"UTKFace: {len(records)} examples from {len(records) + len(skipped)} files."]
    lines += [f"  skipped  {reason:<{width}}  {count:>6}" for reason, count in sorted(counts.items())]
    return "\n".join(lines)


@dataclasses.dataclass
class UTKFaceConfig(datasets.BuilderConfig):
    """``variant``: which files; ``label_conflicts``: of pictures whose copies disagree on age or gender.

    ``"drop"`` them, or ``"keep"`` one copy, in train only, with the mean age and the gender where they agree.
    """

    variant: str = "aligned"
    label_conflicts: str = "drop"

    def __setattr__(self, name, value):
        if name == "data_dir" and value is not None and "://" not in str(value):
            value = os.path.abspath(os.path.expanduser(value))  # whatever the working directory is when it is read
        super().__setattr__(name, value)

    @property
    def source_paths(self) -> list[str]:
        """What the user passed as ``data_files`` or ``data_dir``."""
        if self.data_files:
            files = self.data_files.values() if isinstance(self.data_files, dict) else [self.data_files]
            return [str(path) for item in files for path in ([item] if isinstance(item, str) else item)]
        if self.data_dir is None:
            raise ValueError(f"UTKFace: data_dir is missing. {_WHERE_FROM}")
        return [str(self.data_dir)]

    def create_config_id(self, config_kwargs, *args, **kwargs):
        # The cached build must follow the content of data_dir, not only its path.
        try:
            stats = [(path, os.path.getsize(path), os.path.getmtime(path)) for path in find_sources(self.source_paths)]
        except (OSError, ValueError):
            stats = []  # told properly by _split_generators
        content = hashlib.sha256(repr(stats).encode()).hexdigest()[:16]
        return super().create_config_id({**config_kwargs, "content": content}, *args, **kwargs)


class UTKFace(datasets.GeneratorBasedBuilder):
    """Builds train, validation and test from UTKFace's files; ``skipped`` lists what was left out."""

    VERSION = datasets.Version("1.0.0")
    BUILDER_CONFIG_CLASS = UTKFaceConfig
    BUILDER_CONFIGS = [
        UTKFaceConfig(name="aligned", variant="aligned", description="200×200 face chips, *.jpg.chip.jpg"),
        UTKFaceConfig(name="in_the_wild", variant="in_the_wild", description="whole photos, *.jpg"),
    ]
    DEFAULT_CONFIG_NAME = "aligned"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._skipped: list[Skipped] | None = None

    @property
    def skipped(self) -> list[Skipped]:
        """Every file that is no example, with its reason; reads the files again if the build came from the cache."""
        if self._skipped is None:
            self._select(read_manifest(self._manifest_path(None)), check_images=True)
        return self._skipped or []

    def _info(self):
        return datasets.DatasetInfo(
            description="UTKFace: face pictures with age, gender and race from their file names.",
            homepage="https://susanqq.github.io/UTKFace/",
            license="non-commercial research only; the pictures belong to their owners",
            citation=_CITATION,
            features=datasets.Features(
                {
                    "image": datasets.Image(),
                    "age": datasets.Value("int32"),
                    "gender": datasets.ClassLabel(names=list(GENDERS)),
                    "race": datasets.ClassLabel(names=list(RACES)),
                    "captured_at": datasets.Value("timestamp[ms]"),
                    "file_name": datasets.Value("string"),
                    "sha256": datasets.Value("string"),
                    "duplicate_group": datasets.Value("string"),
                }
            ),
        )

    def _manifest_path(self, dl_manager) -> str:
        # datasets 3.x copies this script away from its neighbours, so base_path comes first.
        beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), MANIFEST)
        if self.base_path and "://" in str(self.base_path):  # a repo on the Hub
            return dl_manager.download(MANIFEST)
        candidates = [os.path.join(self.base_path, MANIFEST)] if self.base_path else []
        for path in [*candidates, beside]:
            if os.path.isfile(path):
                return path
        raise FileNotFoundError(
            f"UTKFace: {MANIFEST} was not found at {[*candidates, beside]}. Without it near-duplicates "
            "would leak between the splits; download it from where this script came from."
        )

    def _select(self, manifest: dict[str, tuple[str, bool]], check_images: bool) -> list[Record]:
        """The files that become examples; the others go to ``skipped``."""
        records, skipped = index_files(
            self.config.source_paths, manifest, self.config.variant, check_images=check_images
        )
        kept = settle_conflicts(records) if self.config.label_conflicts == "keep" else {}
        usable = []
        for record in records:
            if not record.label_conflict or record.source in kept:
                usable.append(kept.get(record.source, record))
            else:
                detail = "another file with this picture has another age or gender"
                skipped.append(Skipped(record.file_name, "label_conflict", detail))
        self._skipped = skipped
        return usable

    def _split_generators(self, dl_manager):
        if self.config.label_conflicts not in ("drop", "keep"):
            raise ValueError(f"label_conflicts={self.config.label_conflicts!r}: pass 'drop' or 'keep'.")
        # Streaming starts after one pass over the bytes and decodes as it goes.
        streaming = dl_manager.is_streaming
        usable = self._select(read_manifest(self._manifest_path(dl_manager)), check_images=not streaming)
        logger.warning(report(usable, self.skipped))
        if not usable:
            raise ValueError(f"UTKFace: no usable file in {self.config.source_paths}. {_WHERE_FROM}")
        # A handful of files may leave a split empty, and datasets cannot read an empty split back.
        by_split = {split: tuple(record for record in usable if record.split == split) for split, _ in _SPLIT_ENDS}
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"records": members, "check_images": streaming})
            for split, members in by_split.items()
            if members
        ]

    def _generate_examples(self, records, check_images):
        wanted = {record.source: (key, record) for key, record in enumerate(records)}
        for path in sorted({record.source.path for record in records}):
            for source, data in iter_bytes(path):
                if source not in wanted:
                    continue
                key, record = wanted[source]
                if check_images:
                    try:
                        check_image(data)
                    except UnusableFile as error:
                        self._skipped.append(Skipped(record.file_name, error.reason, error.detail))
                        logger.warning(f"UTKFace: skipped {record.file_name}: {error}")
                        continue
                yield (
                    key,
                    {
                        "image": {"path": record.file_name, "bytes": data},
                        "age": record.labels.age,
                        "gender": -1 if record.labels.gender is None else record.labels.gender,
                        "race": record.labels.race,
                        "captured_at": record.labels.captured_at,
                        "file_name": record.file_name,
                        "sha256": record.sha256,
                        "duplicate_group": record.duplicate_group,
                    },
                )


_CITATION = """@inproceedings{zhang2017age,
  title={Age Progression/Regression by Conditional Adversarial Autoencoder},
  author={Zhang, Zhifei and Song, Yang and Qi, Hairong},
  booktitle={IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  year={2017}
}"""
