import pytest
from huggingface_hub import HfApi

from tests.hub.server import HubServer


@pytest.fixture
def hub():
    """A local Hub, empty, with the users "user" (may write) and "reader"."""
    with HubServer() as server:
        yield server


@pytest.fixture
def api(hub):
    """The real client, as the user who may write."""
    return HfApi(endpoint=hub.url, token="hf_writer")


@pytest.fixture(autouse=True)
def short_sleeps(monkeypatch):
    """The client's waits between retries, cut short."""
    import huggingface_hub.utils._http as http

    monkeypatch.setattr(http.time, "sleep", lambda seconds: None)
