"""What a table may name in a picture's place, and how far a worker follows it: files, pieces of archives, the Hub, the
web.

A table from a stranger does not decide what a worker fetches: see :class:`Reach`.
"""

import dataclasses
import os
import pathlib

from ..pictures.inputs import InvalidImageError, describe
from ..pictures.web_pictures import fetch_public

try:
    import datasets.utils.file_utils as datasets_files
except ImportError:  # optional: who has archives has datasets
    datasets_files = None

MOST_BYTES = 100_000_000  # of a piece of an archive, or of a file of the Hub
ARCHIVES = ("zip", "tar")
REMOTE = ("https", "hf")


@dataclasses.dataclass(frozen=True)
class Reach:
    """How far places that a table names are followed.

    ``roots``: folders that local files must lie in, None for anywhere; ``remote``: ``https://`` and ``hf://`` too;
    ``base``: the folder that relative paths are meant from; ``how``: what to pass to go further, for messages.
    """

    roots: tuple[str, ...] | None = None
    remote: bool = False
    base: str = ""
    how: str = "--remote"

    def get(self, place: str) -> bytes | str:
        """A picture that a table names: the path of a local file, or what is in an archive or far away.

        Raises:
            InvalidImageError: it is not there, or too far.
        """
        source = describe(place)
        *inner, outer = place.split("::")
        scheme, far, _ = outer.partition("://")
        if far and scheme.lower() not in ARCHIVES:
            return self._get_remote(place, source, scheme.lower(), bool(inner))
        if not inner:
            if far:
                raise InvalidImageError(source, "names a piece of an archive, but no archive behind ::")
            return self._local(outer, source)
        archive = self._local(outer, source)
        if any(one.partition("://")[0].lower() not in ARCHIVES for one in inner):
            raise InvalidImageError(source, "is of a kind that is not read; archives are zip:// and tar://")
        return self._open("::".join([*inner, archive]), source)

    def _local(self, path: str, source: str) -> str:
        whole = os.path.join(self.base, os.path.expanduser(path))
        if self.roots is not None:
            real = pathlib.Path(whole).resolve()
            if not any(real == root or root in real.parents for root in map(pathlib.Path, self.roots)):
                raise InvalidImageError(
                    source, "lies outside the source, which may not be read: pass --any-path to allow it"
                )
        return whole

    def _get_remote(self, place: str, source: str, scheme: str, is_piece: bool) -> bytes:
        if scheme not in REMOTE:
            raise InvalidImageError(source, "is of a kind that is not fetched; there are https:// and hf://")
        if not self.remote:
            raise InvalidImageError(source, f"lies elsewhere, and nothing is fetched without {self.how}")
        if scheme == "https":
            if is_piece:
                raise InvalidImageError(source, "is a piece of an archive on the web: download the archive first")
            return fetch_public(place)
        return self._open(place, source)

    @staticmethod
    def _open(place: str, source: str) -> bytes:
        """What datasets' own opener reads there, with the Hub's token for the Hub."""
        if datasets_files is None:
            raise InvalidImageError(source, "is read by the package datasets: pip install datasets")
        try:
            with datasets_files.xopen(place, "rb") as file:
                content = file.read(MOST_BYTES + 1)
        except Exception as error:  # of archives, of the Hub and of fsspec: many kinds, each means that it is not there
            raise InvalidImageError(source, f"cannot be read ({error})") from None
        if len(content) > MOST_BYTES:
            raise InvalidImageError(source, f"is larger than {MOST_BYTES // 1_000_000} MB")
        return content
