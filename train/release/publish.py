"""Publishes the model, the Space or the dataset to the Hub, whole or not at all.

    python -m train.release.publish model|space|dataset|all --repo USER/NAME --version X.Y.Z [--private] [--dry-run]

Build and check (:mod:`train.release.contents`), compare with what is published (:mod:`train.release.gate`), push: one
commit with all files, then a tag. Killed or failing anywhere, the Hub holds the old content or the
new; running the same command again ends well. The token comes from ``HF_TOKEN`` or the stored login.
"""

import argparse
import contextlib
import json
import pathlib
import sys
import tempfile
import warnings
from collections.abc import Iterator

import huggingface_hub
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, OIDCError, RemoteEntryNotFoundError, RepositoryNotFoundError

from hf_model.console import expanded_path
from train.release.browser import write_page
from train.release.contents import (
    METRICS_NAME,
    SOURCE_NAME,
    ZERO_GPU,
    ZERO_GPU_HARDWARE,
    Release,
    ReleaseError,
    benchmark_release,
    browser_release,
    changed_files,
    check_version,
    dataset_release,
    model_release,
    script_release,
    space_release,
)
from train.release.gate import comparable, compare, table

ADDED_BY_THE_HUB = {".gitattributes"}
WHAT_TO_DO = {
    401: "the token was not accepted. Set HF_TOKEN to a valid token with the write role, or run `hf auth login`",
    402: (
        "the Hub wants a paid plan for this. A Gradio Space may want one: choose hardware that your account may "
        "have, or publish "
        "the static page instead, which any account may host (WHAT=browser)"
    ),
    403: "this token may not write there. Use a token with the write role, of a user who owns the repo",
    404: "the Hub does not know it, or this token may not see it. Check --repo and the token",
    409: "it exists already. Run the same command again; if it stays, choose another version",
    412: "someone else changed the repo meanwhile. Look at it, then run the same command again",
    429: "the Hub asks to slow down. Wait a few minutes and run the same command again",
}


# Of a 403 when a repo, or a Space, is to be created.
MAY_NOT_CREATE = (
    "this token may not write there, or its user may not create repos under that name. Use a token with the write "
    "role, of a user "
    "or a member who may.",
    "this token may not write there, or its account may not create such a Space: a Gradio Space may want a paid "
    "plan, the static "
    "page (WHAT=browser) does not.",
)


class PublishError(Exception):
    """A publish that stopped; the message names the step, the reason and what to do."""


@contextlib.contextmanager
def step(name: str, token: str | None = None, creates: str | None = None) -> Iterator[None]:
    """Turns whatever goes wrong inside into a :class:`PublishError` that names the step, without the token.

    Args:
        creates: the kind of repo that is created in it.
    """
    print(f"- {name}", flush=True)
    try:
        yield
    except (PublishError, ReleaseError):
        raise
    except Exception as error:  # whatever the client raises: the step failed
        message = f"{name}: {explain(error, creates)}"
        if token:
            message = message.replace(token, "[token]")
        # The cause is left out on purpose: a traceback of the client may show request headers.
        raise PublishError(message) from None


def explain(error: BaseException, creates: str | None = None) -> str:
    """What a failed call of the Hub means, and what to do, in one line.

    Args:
        creates: the kind of repo that the call was to create.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, HfHubHTTPError):
        cause = cause.__cause__ or cause.__context__
    response = getattr(cause, "response", None)
    status = response.status_code if response is not None else None
    if status == 403 and creates is not None:
        return f"{MAY_NOT_CREATE[creates == 'space']} The Hub says: {_said(cause)} (HTTP 403)."
    if status in WHAT_TO_DO:
        return f"{WHAT_TO_DO[status]} (HTTP {status})."
    if status is not None and status >= 500:
        return f"the Hub had a problem (HTTP {status}). Run the same command again: it goes on from here."
    if isinstance(error, (ValueError, OIDCError)):
        return " ".join(str(error).split())
    detail = " ".join(str(cause or error).split()) or type(error).__name__
    return f"the connection failed ({detail}). Run the same command again: it goes on from here."


def _said(error: BaseException | None) -> str:
    """The last line of what the Hub said."""
    lines = str(error or "").strip().splitlines()
    return lines[-1].strip().rstrip(".") if lines else "nothing"


def local_files_changed(release: Release, remote: dict) -> dict[str, str]:
    """``{path: "new" | "changed" | "removed"}`` of a release against the files at a revision.

    Args:
        release: what is to be there.
        remote: path to ``RepoFile``, as :func:`remote_files` lists them.
    """
    changes = {}
    for path in release.files:
        if path not in remote:
            changes[path] = "new"
        else:
            file = remote[path]
            same = release.sha256(path) == file.lfs.sha256 if file.lfs else release.git_oid(path) == file.blob_id
            if not same:
                changes[path] = "changed"
    changes |= {path: "removed" for path in remote if path not in release.files}
    # The same content made from a later commit is not published again.
    return {} if set(changes) == {SOURCE_NAME} and SOURCE_NAME in remote else changes


def remote_files(api: HfApi, release: Release, revision: str) -> dict:
    """Path to ``RepoFile`` of everything at a revision, without what the Hub adds itself."""
    entries = api.list_repo_tree(release.repo, repo_type=release.kind, revision=revision, recursive=True)
    files = {entry.path: entry for entry in entries if isinstance(entry, huggingface_hub.hf_api.RepoFile)}
    return {path: file for path, file in files.items() if path not in ADDED_BY_THE_HUB}


def push(
    api: HfApi, release: Release, *, private: bool, dry_run: bool = False, reason: str | None = None
) -> str | None:
    """Puts a release on the Hub as one commit, then tags it.

    Args:
        api: the client, with its token.
        release: all files of a branch.
        private: a repo that has to be created becomes private; a public one is refused.
        dry_run: only say what would happen.
        reason: why a regression is accepted, for the commit message.

    Returns:
        The commit's id; None in a dry run that would make one.

    Raises:
        PublishError: a step failed or must not be done. The Hub holds the old content or the new.
    """
    token = api.token if isinstance(api.token, str) else None
    where = f"{release.kind} {release.repo}"
    refs = _find_refs(api, release, private, dry_run)
    if refs is None and dry_run:
        print(f"Would create the {'private' if private else 'public'} {where}.")
        _say_changes(release, dict.fromkeys(release.files, "new"))
        return None
    if refs is None:
        refs = _create_repo(api, release, private)
    published = {ref.name: ref.target_commit for ref in refs.tags}.get(release.tag)
    if published:
        return _check_same(api, release, published)
    branches = {ref.name: ref.target_commit for ref in refs.branches}
    if release.branch not in branches and dry_run:
        print(f"Would create the branch {release.branch!r} of {where}.")
        _say_changes(release, dict.fromkeys(release.files, "new"))
        return None
    head = branches.get(release.branch) or _create_branch(api, release)
    with step(f"Comparing with {release.branch!r}", token):
        changes = local_files_changed(release, remote_files(api, release, head))
    if dry_run:
        _say_changes(release, changes)
        return head if not changes else None
    if changes:
        with step(f"Uploading and committing {len(release.files)} files to {where}", token):
            head = _commit(api, release, changes, head, reason)
    else:
        print(f"  {release.branch!r} of {where} holds this very content already ({head[:8]}).")
    if release.tag:
        with step(f"Tagging {head[:8]} as {release.tag}", token):
            api.create_tag(release.repo, repo_type=release.kind, tag=release.tag, revision=head)
    print(f"Published {where}, version {release.version}, commit {head}.")
    print(f"  {_web_address(api, release)}")
    return head


def _find_refs(api: HfApi, release: Release, private: bool, dry_run: bool):
    """The branches and tags of the repo, None where there is no such repo.

    Raises:
        PublishError: it is public and was to be private.
    """
    where = f"{release.kind} {release.repo}"
    with step(f"Looking at {where}", api.token if isinstance(api.token, str) else None):
        try:
            is_private = bool(api.repo_info(release.repo, repo_type=release.kind).private)
            refs = api.list_repo_refs(release.repo, repo_type=release.kind)
        except RepositoryNotFoundError as error:
            if error.response.status_code != 404 and not dry_run:
                raise
            return None
    if private and not is_private:
        raise PublishError(f"{where} is public, but it was to be private. Make it private on the Hub first.")
    return refs


def _create_repo(api: HfApi, release: Release, private: bool):
    """Creates the repo; its branches and tags."""
    kind = "private" if private else "public"
    token = api.token if isinstance(api.token, str) else None
    with step(f"Creating the {kind} {release.kind} {release.repo}", token, creates=release.kind):
        api.create_repo(release.repo, repo_type=release.kind, private=private, space_sdk=release.sdk, exist_ok=True)
        return api.list_repo_refs(release.repo, repo_type=release.kind)


def _create_branch(api: HfApi, release: Release) -> str:
    """Creates the release's branch; its commit."""
    title = f"Creating the branch {release.branch!r} of {release.kind} {release.repo}"
    with step(title, api.token if isinstance(api.token, str) else None):
        api.create_branch(release.repo, repo_type=release.kind, branch=release.branch, exist_ok=True)
        refs = api.list_repo_refs(release.repo, repo_type=release.kind)
        return next(ref.target_commit for ref in refs.branches if ref.name == release.branch)


def _check_same(api: HfApi, release: Release, commit: str) -> str:
    """The commit of the release's tag, which is there already.

    Raises:
        PublishError: it holds something else.
    """
    where = f"{release.kind} {release.repo}"
    with step(f"Comparing with {release.tag}", api.token if isinstance(api.token, str) else None):
        changes = local_files_changed(release, remote_files(api, release, commit))
    if changes:
        shown = ", ".join(f"{path} ({what})" for path, what in sorted(changes.items())[:5])
        raise PublishError(
            f"{release.tag} of {where} is published already, with other content: {shown}. "
            "A published version is never changed; raise the version."
        )
    print(f"{release.tag} of {where} is published already, as it is here ({commit[:8]}). Nothing to do.")
    return commit


def _commit(api: HfApi, release: Release, changes: dict[str, str], parent: str, reason: str | None) -> str:
    operations: list = [
        CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
        for path, content in release.files.items()
        if path in changes
    ]
    operations += [CommitOperationDelete(path) for path, what in changes.items() if what == "removed"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks on unknown front matter
        info = api.create_commit(
            release.repo,
            operations,
            repo_type=release.kind,
            revision=release.branch,
            parent_commit=parent,
            commit_message=f"Release {release.version}",
            commit_description=f"Accepted regression: {reason}" if reason else "",
        )
    return info.oid


def _web_address(api: HfApi, release: Release) -> str:
    prefix = "" if release.kind == "model" else f"{release.kind}s/"
    return f"{api.endpoint}/{prefix}{release.repo}/tree/{release.tag or release.branch}"


def _say_changes(release: Release, changes: dict[str, str]) -> None:
    total = sum(map(release.size, release.files))
    print(f"Would push {len(release.files)} files, {total / 1e6:.1f} MB, to {release.kind} {release.repo}:")
    for path in sorted({*release.files, *changes}):
        size = f"{release.size(path):>12,}" if path in release.files else f"{'':>12}"
        print(f"  {size}  {path}  ({changes.get(path, 'unchanged')})")
    if not changes:
        print("Nothing would change.")
    if release.tag:
        print(f"Would tag it {release.tag}.")


def gate(api: HfApi, release: Release, allow_regression: str | None) -> str | None:
    """Compares a model release's figures with the published ones.

    Returns:
        The reason to put into the commit message, where a regression is accepted.

    Raises:
        PublishError: the figures are worse beyond their intervals and no reason was given.
    """
    token = api.token if isinstance(api.token, str) else None
    new = json.loads(_read(release.files[METRICS_NAME]))
    with step("Comparing with the published figures", token):
        published = published_metrics(api, release)
    if published is None:
        print("  No figures are published yet: nothing could be compared.")
        return None
    problem = comparable(published, new)
    if problem:
        print(f"  Nothing could be compared: {problem}.")
        return None
    rows = compare(published, new)
    print(table(rows))
    worse = [row.name for row in rows if row.worse]
    if not worse:
        return None
    if not allow_regression:
        raise PublishError(
            f"Worse than what is published, beyond its interval: {'; '.join(worse)}. Nothing was published. "
            'To publish all the same, give the reason: --allow-regression "...".'
        )
    return allow_regression


def published_metrics(api: HfApi, release: Release) -> dict | None:
    """The published ``metrics.json``, None where there is none."""
    # Not through the common cache: an answer from there could be an old one.
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = api.hf_hub_download(release.repo, METRICS_NAME, repo_type=release.kind, cache_dir=folder)
        except (RemoteEntryNotFoundError, RepositoryNotFoundError):
            return None
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def _read(content: bytes | pathlib.Path) -> bytes:
    return content if isinstance(content, bytes) else content.read_bytes()


def publish_model(api: HfApi, args: argparse.Namespace) -> None:
    """Checks and pushes ``hf_model/``."""
    with step("Checking the model folder"):
        release = model_release(args.repo, args.version, args.model, gated=args.gated)
    reason = gate(api, release, args.allow_regression)
    if args.gated and not args.dry_run:
        close_gate(api, release, args.private)
    push(api, release, private=args.private, dry_run=args.dry_run, reason=reason)


def close_gate(api: HfApi, release: Release, private: bool) -> None:
    """Makes whoever wants a repo's files accept its terms first; before the files are there, for the card alone gates
    nothing."""
    token = api.token if isinstance(api.token, str) else None
    with step(f"Gating model {release.repo}", token):
        api.create_repo(release.repo, repo_type=release.kind, private=private, exist_ok=True)
        if not api.repo_info(release.repo, repo_type=release.kind).gated:  # who approves by hand goes on doing so
            api.update_repo_settings(release.repo, repo_type=release.kind, gated="auto")


def publish_space(api: HfApi, args: argparse.Namespace) -> None:
    """Pushes ``space/``, showing the model's revision of the same version."""
    revision = f"v{args.version}"
    repo = args.space_repo or args.repo
    model_repo = args.model_repo or args.repo
    closed = args.gated or args.private
    if not args.dry_run:
        with step(f"Looking for {revision} of model {model_repo}", api.token if isinstance(api.token, str) else None):
            shown = api.repo_info(model_repo, revision=revision)
            closed = bool(shown.gated or shown.private)
    with step("Checking the Space folder"):
        files = () if args.dry_run else api.list_repo_files(model_repo, revision=revision)
        release = space_release(
            repo, args.version, model_repo, revision, args.space, api.endpoint, closed, args.hardware, files
        )
    push(api, release, private=args.private, dry_run=args.dry_run)
    if args.hardware == ZERO_GPU and not args.dry_run:
        with step(f"Asking for ZeroGPU for Space {repo}", api.token if isinstance(api.token, str) else None):
            api.request_space_hardware(repo, huggingface_hub.SpaceHardware(ZERO_GPU_HARDWARE))


def publish_browser(api: HfApi, args: argparse.Namespace) -> None:
    """Builds the static page around this folder's model and pushes it, naming the model's revision of the same
    version."""
    revision = f"v{args.version}"
    repo = args.browser_repo or f"{args.repo}-browser"
    model_repo = args.model_repo or args.repo
    closed = args.gated
    if not args.dry_run:
        with step(f"Looking for {revision} of model {model_repo}", api.token if isinstance(api.token, str) else None):
            shown = api.repo_info(model_repo, revision=revision)
            closed = bool(shown.gated or shown.private)
    if closed and not args.private:
        raise PublishError(
            f"{model_repo} is gated or private, and the static page holds its weights, which everyone could take "
            f"from it. "
            "Use --private, or open the model."
        )
    with step("Building the static page"), tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name) / "page"
        try:
            write_page(folder, args.model, args.space / "browser", {"repo": model_repo, "revision": revision})
        except (ValueError, OSError, ImportError) as error:
            raise PublishError(f"The static page was not built: {error}") from error
        release = browser_release(repo, args.version, model_repo, revision, folder)
        push(api, release, private=args.private, dry_run=args.dry_run)


def publish_benchmark(api: HfApi, args: argparse.Namespace) -> None:
    """Pushes the faces that may be shown, openly."""
    repo = args.benchmark_repo or f"{args.repo.split('/')[0]}/open-faces"
    with step("Checking the open faces"):
        release = benchmark_release(repo, args.version)
    push(api, release, private=args.private, dry_run=args.dry_run)


def publish_dataset(api: HfApi, args: argparse.Namespace) -> None:
    """Pushes the Parquet copy, and the loading script to the branch ``script``; private unless told otherwise twice."""
    if args.public_dataset != args.i_may_redistribute_utkface:
        raise PublishError(
            "UTKFace may not be redistributed freely, so the dataset is pushed private. To make it public all the "
            "same, both --public-dataset and --i-may-redistribute-utkface are needed."
        )
    private = not args.public_dataset
    repo = args.dataset_repo or f"{args.repo.split('/')[0]}/utkface"
    with step("Checking the dataset folder"):
        releases = [dataset_release(repo, args.version, args.dataset_folder), script_release(repo, args.version)]
    for release in releases:
        push(api, release, private=private, dry_run=args.dry_run)


PUBLISHERS = {
    "model": publish_model,
    "space": publish_space,
    "dataset": publish_dataset,
    "benchmark": publish_benchmark,
    "browser": publish_browser,
}
# The Space last: it may want a paid plan, and what is refused must not hold the rest back. The static page wants npm,
# and a model that is open.
ALL = ("model", "dataset", "space")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train.release.publish",
        description="Publishes to the Hub: one commit, then a tag. Token: HF_TOKEN or the stored login.",
    )
    parser.add_argument("what", choices=[*PUBLISHERS, "all"])
    parser.add_argument(
        "--repo", required=True, help="the model's repo, USER/NAME; the Space's too unless --space-repo"
    )
    parser.add_argument("--version", required=True, help="X.Y.Z; the tag becomes vX.Y.Z")
    parser.add_argument("--private", action="store_true", help="create model and Space as private repos")
    parser.add_argument(
        "--gated", action="store_true", help="whoever wants the model's files has to accept the weights' terms first"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would happen, touch nothing")
    parser.add_argument(
        "--allow-regression", metavar="REASON", help="publish figures that got worse; goes into the commit"
    )
    parser.add_argument("--space-repo", help="default: as --repo")
    parser.add_argument("--browser-repo", help="of the static page; default: as --repo, with -browser")
    parser.add_argument("--model-repo", help="for a Space alone: the model it shows (default: as --repo)")
    parser.add_argument("--dataset-repo", help="default: USER/utkface")
    parser.add_argument("--benchmark-repo", help="of the faces that may be shown; default: USER/open-faces")
    parser.add_argument(
        "--hardware", choices=[ZERO_GPU], help="of the Space; default: what the account has by itself, a processor"
    )
    parser.add_argument("--model", type=expanded_path, default=pathlib.Path("hf_model"), help="default: hf_model")
    parser.add_argument("--space", type=expanded_path, default=pathlib.Path("space"), help="default: space")
    parser.add_argument(
        "--dataset-folder", type=expanded_path, default=pathlib.Path("build/utkface"), help="from make data"
    )
    parser.add_argument("--public-dataset", action="store_true", help="only together with the next")
    parser.add_argument("--i-may-redistribute-utkface", action="store_true", help="you have the right to publish it")
    args = parser.parse_args(argv)
    if args.allow_regression is not None and not args.allow_regression.strip():
        parser.error("--allow-regression wants a reason")
    if args.repo.count("/") != 1:
        parser.error(f"--repo {args.repo!r} is not of the form USER/NAME")
    return args


def say_uncommitted() -> None:
    """Names what goes out, or makes what goes out, and stands in no commit; ``source.json`` will say so too."""
    changed = changed_files()
    if changed:
        more = f" and {len(changed) - 10} more" if len(changed) > 10 else ""
        print(f"Not committed, so that no commit holds what is published: {', '.join(changed[:10])}{more}.")


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    huggingface_hub.utils.disable_progress_bars() if not sys.stderr.isatty() else None
    try:
        check_version(args.version)
        with step("Looking for a token"):
            token = huggingface_hub.get_token()
        if token is None and not args.dry_run:
            raise PublishError("No token: set HF_TOKEN to one with the write role, or run `hf auth login`.")
        api = HfApi(token=token)
        if token is not None:
            with step("Asking the Hub whose token this is", token):
                print(f"  user {api.whoami()['name']}")
        say_uncommitted()
        for what in ALL if args.what == "all" else [args.what]:
            PUBLISHERS[what](api, args)
    except (PublishError, ReleaseError) as error:
        sys.exit(f"Not published. {error}")


if __name__ == "__main__":
    main()
