"""``package_files.json``: which of a release's files are the package; transformers' door fetches exactly these.

It needs the standard library alone, so that the tests of the oldest versions can make a repo with it.
"""

import json
from collections.abc import Iterable

PACKAGE_LIST = "package_files.json"
COPIED_BY_TRANSFORMERS = ("configuration_", "image_processing_", "modeling_", "package_", "pipeline_")


def package_list(files: Iterable[str]) -> bytes:
    """The content of ``package_files.json``, of the paths of a release's files."""
    names = [name for name in sorted(files) if name.endswith(".py") and not name.startswith(COPIED_BY_TRANSFORMERS)]
    return (json.dumps(names, indent=1) + "\n").encode()
