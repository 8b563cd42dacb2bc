"""A local server that speaks the Hub's HTTP protocol, for the real ``huggingface_hub`` client.

Repos are kept in memory as commits of whole file trees. Spoken: whoami, create, repo info, preupload,
LFS batch, upload and verify, ndjson commit, tags, branches, refs, tree, paths-info, resolve (with ETag
and Range), validate-yaml; errors as the Hub words them. ``fail`` lets single requests go wrong.

Source: the requests that huggingface_hub 2.4 and 0.36 make (``hf_api.py``, ``_commit_api.py``, ``lfs.py``,
``file_download.py``).
"""

import asyncio
import base64
import dataclasses
import hashlib
import json
import re
import threading
from collections.abc import Callable

import yaml
from aiohttp import web

CREATED = "2026-01-01T00:00:00.000Z"
LFS_SUFFIXES = (".safetensors", ".parquet", ".h5", ".png", ".jpg")


@dataclasses.dataclass(frozen=True)
class User:
    """Who a token belongs to, and whether it may write."""

    name: str
    can_write: bool = True


@dataclasses.dataclass(frozen=True)
class Blob:
    """One file's content; ``lfs`` says how it is stored."""

    data: bytes
    lfs: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def git_oid(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()

    def info(self, path: str) -> dict:
        """As ``tree`` and ``paths-info`` list it."""
        listed = {"type": "file", "oid": self.git_oid, "size": len(self.data), "path": path}
        if self.lfs:
            listed["lfs"] = {"oid": self.sha256, "size": len(self.data), "pointerSize": 134}
        return listed


class Repo:
    """Branches and tags that name commits; a commit is a whole tree of files."""

    def __init__(self, kind: str, name: str, private: bool):
        self.kind, self.name, self.private = kind, name, private
        self.commits: dict[str, dict[str, Blob]] = {}
        self.messages: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.branches: dict[str, str] = {}
        self.lfs: dict[str, bytes] = {}
        self.gated: str | bool = False
        self.accepted: set[str] = set()  # users who took the terms of a gated repo
        self.commit("main", {".gitattributes": Blob(b"*.safetensors filter=lfs\n")}, "initial commit")

    def commit(self, branch: str, files: dict[str, Blob], message: str) -> str:
        """Puts a new commit on a branch."""
        text = f"{self.kind}/{self.name}/{branch}/{len(self.commits)}"
        oid = hashlib.sha1(text.encode()).hexdigest()
        self.commits[oid], self.messages[oid] = files, message
        self.branches[branch] = oid
        return oid

    def find(self, revision: str) -> str | None:
        """The commit that a branch, tag or commit id names."""
        revision = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        for names in (self.branches, self.tags):
            if revision in names:
                return names[revision]
        return revision if revision in self.commits else None


class HubError(Exception):
    """An answer that is an error, with the headers by which the client knows the Hub's kinds."""

    def __init__(self, status: int, message: str, code: str | None = None):
        self.status, self.message, self.code = status, message, code


class HubServer:
    """The server; use it as a context manager.

    Attributes:
        url: ``http://127.0.0.1:PORT``.
        users: token to :class:`User`.
        repos: (``"model"``, ``"user/name"``) to :class:`Repo`.
        requests: (method, path) of every request, in order.
        fail: from (index of the request, method, path) to None, a status such as 500, ``"drop"``
            (connection closed before anything happens) or ``"drop answer"`` (done, but not answered).
    """

    def __init__(self):
        self.users = {"hf_writer": User("user"), "hf_reader": User("reader", can_write=False)}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.requests: list[tuple[str, str]] = []
        self.fail: Callable[[int, str, str], int | str | None] = lambda index, method, path: None
        self.url = ""
        self._lock = threading.Lock()

    def __enter__(self) -> "HubServer":
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()

        async def start():
            app = web.Application(client_max_size=1 << 30)
            app.router.add_route("*", "/{path:.*}", self._handle)
            self._runner = web.AppRunner(app, access_log=None)
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
            ready.set()

        def serve():
            self._loop.run_until_complete(start())
            self._loop.run_forever()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        assert ready.wait(30), "the local Hub did not start"
        return self

    def __exit__(self, *exception):
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def put(self, kind: str, name: str, files: dict[str, bytes], tag: str | None = None) -> str:
        """Places a commit as if it had been pushed; returns its id."""
        repo = self.repos.setdefault((kind, name), Repo(kind, name, private=False))
        blobs = {path: Blob(data, lfs=path.endswith(LFS_SUFFIXES)) for path, data in files.items()}
        oid = repo.commit("main", blobs, "put there by a test")
        if tag:
            repo.tags[tag] = oid
        return oid

    def files(self, kind: str, name: str, revision: str = "main") -> dict[str, bytes]:
        """The content of a repo at a revision, without what the Hub adds."""
        repo = self.repos[kind, name]
        return {path: blob.data for path, blob in repo.commits[repo.find(revision)].items() if path != ".gitattributes"}

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        with self._lock:
            index = len(self.requests)
            self.requests.append((request.method, path))
        fault = self.fail(index, request.method, path)
        body = await request.read()
        if fault == "drop":
            request.transport.abort()
            return web.Response()
        if isinstance(fault, int):
            return web.json_response({"error": f"injected {fault}"}, status=fault)
        try:
            response = self._answer(request, body)
        except HubError as error:
            headers = {"X-Error-Message": error.message}
            if error.code:
                headers["X-Error-Code"] = error.code
            response = web.json_response({"error": error.message}, status=error.status, headers=headers)
        if fault == "drop answer":
            request.transport.abort()
        return response

    def _answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        path = request.path.lstrip("/")
        user = self._user(request)
        for method, pattern, answer in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match and request.method in method.split("|"):
                return answer(self, request, body, user, **match.groupdict())
        raise HubError(404, f"the local Hub does not know {request.method} /{path}")

    def _user(self, request: web.Request) -> User | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.users:
            raise HubError(401, "Invalid credentials in Authorization header")
        return self.users.get(token)

    def _repo(self, kind: str, name: str, user: User | None, write: bool = False) -> Repo:
        repo = self.repos.get((kind.rstrip("s"), name))
        owner = name.split("/")[0]
        if repo is None or (repo.private and (user is None or user.name != owner)):
            raise HubError(404 if user else 401, "Repository not found", "RepoNotFound")
        if write and user is None:
            raise HubError(401, "Invalid username or password.")
        if write and not (user.can_write and user.name == owner):
            raise HubError(403, "You don't have the rights to write to this repo: use a token with the write role.")
        return repo

    @staticmethod
    def _tree(repo: Repo, revision: str) -> tuple[str, dict[str, Blob]]:
        oid = repo.find(revision)
        if oid is None:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return oid, repo.commits[oid]

    # The routes, each (self, request, body, user, named parts of the path).

    def whoami(self, request, body, user):
        if user is None:
            raise HubError(401, "Invalid username or password.")
        role = "write" if user.can_write else "read"
        token = {"displayName": "test", "role": role}
        return web.json_response({"type": "user", "name": user.name, "orgs": [], "auth": {"accessToken": token}})

    def create(self, request, body, user):
        wanted = json.loads(body)
        if user is None:
            raise HubError(401, "Invalid username or password.")
        owner = wanted.get("organization") or user.name
        if not user.can_write or owner != user.name:
            raise HubError(403, f'You don\'t have the rights to create a repo under the namespace "{owner}"')
        kind, name = wanted.get("type", "model"), f"{owner}/{wanted['name']}"
        url = f"{self.url}/{'' if kind == 'model' else kind + 's/'}{name}"
        if (kind, name) in self.repos:
            return web.json_response({"error": "You already created this repo", "url": url}, status=409)
        private = wanted.get("private") or wanted.get("visibility") == "private"
        self.repos[kind, name] = Repo(kind, name, bool(private))
        return web.json_response({"url": url, "name": name})

    def repo_info(self, request, body, user, kind, name, revision=None):
        repo = self._repo(kind, name, user)
        oid, files = self._tree(repo, revision or "main")
        answer = {
            "_id": "1",
            "id": name,
            "modelId": name,
            "author": name.split("/")[0],
            "sha": oid,
            "private": repo.private,
            "gated": repo.gated,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "lastModified": CREATED,
            "createdAt": CREATED,
            "siblings": [{"rfilename": path} for path in files],
        }
        if kind == "spaces":
            answer["sdk"] = "gradio"
        return web.json_response(answer)

    def settings(self, request, body, user, kind, name):
        repo = self._repo(kind, name, user, write=True)
        wanted = json.loads(body)
        repo.gated = wanted.get("gated", repo.gated)
        if "visibility" in wanted:
            repo.private = wanted["visibility"] == "private"
        return web.json_response({"gated": repo.gated, "visibility": "private" if repo.private else "public"})

    def preupload(self, request, body, user, kind, name, revision):
        repo = self._repo(kind, name, user, write=True)
        _, files = self._tree(repo, revision)
        answers = []
        for item in json.loads(body)["files"]:
            sample = base64.b64decode(item["sample"])
            lfs = item["path"].endswith(LFS_SUFFIXES) or b"\0" in sample or item["size"] > 10_000_000
            old = files.get(item["path"])
            oid = None if old is None else old.sha256 if old.lfs else old.git_oid
            mode = "lfs" if lfs else "regular"
            answers.append({"path": item["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return web.json_response({"files": answers})

    def lfs_batch(self, request, body, user, name, kind="models"):
        repo = self._repo((kind or "models").rstrip("/"), name, user, write=True)
        objects = []
        for item in json.loads(body)["objects"]:
            answer = {"oid": item["oid"], "size": item["size"]}
            if item["oid"] not in repo.lfs:
                base = f"{self.url}/_lfs/{repo.kind}/{name}/{item['oid']}"
                answer["actions"] = {"upload": {"href": base}, "verify": {"href": f"{base}/verify"}}
            objects.append(answer)
        return web.json_response({"transfer": "basic", "objects": objects})

    def lfs_upload(self, request, body, user, kind, name, oid):
        # No check of the token: the Hub's upload links are signed.
        if hashlib.sha256(body).hexdigest() != oid:
            raise HubError(400, "the content does not have this sha256")
        self.repos[kind, name].lfs[oid] = body
        return web.Response()

    def lfs_verify(self, request, body, user, kind, name, oid):
        if oid not in self.repos[kind, name].lfs:
            raise HubError(404, "not uploaded")
        return web.json_response({})

    def commit(self, request, body, user, kind, name, revision):
        repo = self._repo(kind, name, user, write=True)
        if revision not in repo.branches:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        files = dict(repo.commits[repo.branches[revision]])
        header = {}
        for line in body.splitlines():
            item = json.loads(line)
            key, value = item["key"], item["value"]
            if key == "header":
                header = value
            elif key == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]))
            elif key == "lfsFile":
                if value["oid"] not in repo.lfs:
                    raise HubError(400, f"{value['path']} was not uploaded to LFS")
                files[value["path"]] = Blob(repo.lfs[value["oid"]], lfs=True)
            elif key == "deletedFile":
                if value["path"] not in files:
                    raise HubError(404, "A file with this name doesn't exist", "EntryNotFound")
                del files[value["path"]]
            elif key == "deletedFolder":
                files = {p: b for p, b in files.items() if not p.startswith(value["path"].rstrip("/") + "/")}
        parent = header.get("parentCommit")
        if parent and not repo.branches[revision].startswith(parent):
            raise HubError(412, "A commit has happened since. Please refresh and try again.")
        message = "\n\n".join(filter(None, (header["summary"], header.get("description"))))
        oid = repo.commit(revision, files, message)
        url = f"{self.url}/{name}/commit/{oid}"
        return web.json_response({"success": True, "commitOid": oid, "commitUrl": url, "pullRequestUrl": None})

    def tag(self, request, body, user, kind, name, revision):
        repo = self._repo(kind, name, user, write=True)
        wanted = json.loads(body)["tag"]
        oid, _ = self._tree(repo, revision)
        if wanted in repo.tags:
            raise HubError(409, f"Tag reference exists already: {wanted}")
        repo.tags[wanted] = oid
        return web.json_response({})

    def branch(self, request, body, user, kind, name, revision):
        repo = self._repo(kind, name, user, write=True)
        start = (json.loads(body) if body else {}).get("startingPoint") or "main"
        if revision in repo.branches:
            raise HubError(409, f"Reference already exists: {revision}")
        repo.branches[revision] = self._tree(repo, start)[0]
        return web.json_response({})

    def refs(self, request, body, user, kind, name):
        repo = self._repo(kind, name, user)
        listed = {
            key: [{"name": n, "ref": f"refs/{folder}/{n}", "targetCommit": oid} for n, oid in names.items()]
            for key, folder, names in (("branches", "heads", repo.branches), ("tags", "tags", repo.tags))
        }
        return web.json_response({**listed, "converts": [], "pullRequests": []})

    def tree(self, request, body, user, kind, name, revision, folder=None):
        _, files = self._tree(self._repo(kind, name, user), revision)
        prefix = f"{folder}/" if folder else ""
        recursive = request.query.get("recursive", "").lower() in ("true", "1")
        listed, folders = [], set()
        for path, blob in files.items():
            if not path.startswith(prefix):
                continue
            parts = path[len(prefix) :].split("/")
            for depth in range(1, len(parts)) if recursive else range(1, min(2, len(parts))):
                folders.add(prefix + "/".join(parts[:depth]))
            if recursive or len(parts) == 1:
                listed.append(blob.info(path))
        if folder and not listed and not folders:
            raise HubError(404, f"{folder} does not exist", "EntryNotFound")
        listed += [_folder(name) for name in sorted(folders)]
        return web.json_response(listed)

    def paths_info(self, request, body, user, kind, name, revision):
        _, files = self._tree(self._repo(kind, name, user), revision)
        from urllib.parse import parse_qs

        wanted = parse_qs(body.decode()).get("paths", []) if b"{" not in body[:1] else json.loads(body)["paths"]
        listed = [files[path].info(path) for path in wanted if path in files]
        folders = [path for path in wanted if path and any(p.startswith(path.rstrip("/") + "/") for p in files)]
        return web.json_response(listed + [_folder(path.rstrip("/")) for path in folders])

    def resolve(self, request, body, user, name, revision, path, kind="models/"):
        repo = self._repo((kind or "models/").rstrip("/"), name, user)
        if repo.gated and not (user and (user.name == name.split("/")[0] or user.name in repo.accepted)):
            raise HubError(403 if user else 401, f"Access to model {name} is restricted.", "GatedRepo")
        oid, files = self._tree(repo, revision)
        if path not in files:
            raise HubError(404, f"Entry not found: {path}", "EntryNotFound")
        blob = files[path]
        etag = f'"{blob.sha256 if blob.lfs else blob.git_oid}"'
        headers = {"X-Repo-Commit": oid, "ETag": etag, "Accept-Ranges": "bytes"}
        if blob.lfs:
            headers |= {"X-Linked-Etag": etag, "X-Linked-Size": str(len(blob.data))}
        data, status = blob.data, 200
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if wanted and request.method == "GET":
            start, end = int(wanted[1]), min(int(wanted[2] or len(data) - 1), len(data) - 1)
            if start >= len(data):
                return web.Response(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
            headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            data, status = data[start : end + 1], 206
        return web.Response(body=data, status=status, headers=headers, content_type="application/octet-stream")

    def validate_yaml(self, request, body, user):
        content = json.loads(body)["content"]
        match = re.match(r"---\s*\n(.*?)\n---", content, re.DOTALL)
        try:
            values = yaml.safe_load(match[1]) if match else {}
        except yaml.YAMLError as error:
            return web.json_response({"errors": [{"message": str(error)}], "warnings": []}, status=400)
        if not isinstance(values, dict):
            return web.json_response({"errors": [{"message": "not a mapping"}], "warnings": []}, status=400)
        return web.json_response({"errors": [], "warnings": []})


def _folder(path: str) -> dict:
    return {"type": "directory", "oid": hashlib.sha1(path.encode()).hexdigest(), "size": 0, "path": path}


_NAME = r"(?P<name>[^/]+/[^/]+)"
_API = rf"api/(?P<kind>models|datasets|spaces)/{_NAME}"
_ROUTES = [
    ("GET", r"api/whoami-v2", HubServer.whoami),
    ("POST", r"api/repos/create", HubServer.create),
    ("POST", r"api/validate-yaml", HubServer.validate_yaml),
    ("PUT", rf"{_API}/settings", HubServer.settings),
    ("POST", rf"{_API}/preupload/(?P<revision>.+)", HubServer.preupload),
    ("POST", rf"{_API}/commit/(?P<revision>.+)", HubServer.commit),
    ("POST", rf"{_API}/tag/(?P<revision>.+)", HubServer.tag),
    ("POST", rf"{_API}/branch/(?P<revision>.+)", HubServer.branch),
    ("GET", rf"{_API}/refs", HubServer.refs),
    ("GET", rf"{_API}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?", HubServer.tree),
    ("POST", rf"{_API}/paths-info/(?P<revision>[^/]+)", HubServer.paths_info),
    ("GET", rf"{_API}(?:/revision/(?P<revision>.+))?", HubServer.repo_info),
    ("POST", rf"(?P<kind>datasets/|spaces/)?{_NAME}\.git/info/lfs/objects/batch", HubServer.lfs_batch),
    ("PUT", rf"_lfs/(?P<kind>\w+)/{_NAME}/(?P<oid>\w+)", HubServer.lfs_upload),
    ("POST", rf"_lfs/(?P<kind>\w+)/{_NAME}/(?P<oid>\w+)/verify", HubServer.lfs_verify),
    ("GET|HEAD", rf"(?P<kind>datasets/|spaces/)?{_NAME}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", HubServer.resolve),
]
