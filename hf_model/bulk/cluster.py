"""Ray for bulk labelling: started on this machine, where it asks and tells nobody anything, or a cluster that is
there."""

import atexit
import contextlib
import os
import pathlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator

from .sources import SourceError

# Ray's own process for usage statistics asks the metadata servers of three clouds where it runs, also when statistics
# are off, unless this file in the home says so (get_cluster_config_to_report in ray/_common/usage/usage_lib.py, ray
# 2.60).
PROVIDER_FILE, PROVIDER = "ray_bootstrap_config.yaml", "provider: {type: local}\n"


def start_ray(address: str, workers: int) -> None:
    """Connects to a cluster, or starts Ray on this machine; nothing is reported to anyone.

    Raises:
        SourceError: the cluster cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when ray is imported
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise SourceError(
            f"Bulk labelling needs Ray ({error.name} is missing): pip install 'ray[data]' pyarrow"
        ) from None
    if ray.is_initialized():
        return
    package = pathlib.Path(__file__).resolve().parents[1]
    try:
        if address == "local":
            home = os.path.expanduser("~")
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else Ray looks for one in either home
            # "local" and not nothing: a cluster that once was on this machine, or still is, is none of ours.
            with _home_that_names_the_provider():
                ray.init(
                    "local",
                    num_cpus=max(workers, 1),
                    include_dashboard=False,
                    log_to_driver=False,
                    configure_logging=False,
                    runtime_env={"env_vars": {"PYTHONPATH": str(package.parent), "HOME": home}},
                )
        else:
            ray.init(address=address, log_to_driver=False, runtime_env={"py_modules": [str(package)]})
    except (ConnectionError, RuntimeError, OSError, ValueError) as error:
        if "AF_UNIX" in str(error):
            folder = os.environ.get("TMPDIR") or "its folder for temporary files"
            raise SourceError(
                f"Ray cannot start: {folder} is too long a path for its sockets. Set TMPDIR=/tmp."
            ) from None
        raise SourceError(f"--address {address}: no Ray cluster could be reached there ({error}).") from None


@contextlib.contextmanager
def _home_that_names_the_provider() -> Iterator[None]:
    """While Ray's processes are started, the home is a folder that says where they run; workers are given the real
    one."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="age-gender-face-ray-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / PROVIDER_FILE).write_text(PROVIDER, encoding="utf-8")
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(folder)
    try:
        yield
    finally:
        del os.environ["HOME"]
        if before is not None:
            os.environ["HOME"] = before
