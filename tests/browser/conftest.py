import pathlib
import shutil
import threading

import pytest
from playwright.sync_api import expect

expect.set_options(timeout=20_000)  # machines differ five-fold


@pytest.fixture(scope="session")
def built(root, tmp_path_factory):
    """The whole page, as `make browser` writes it."""
    from train.release.browser import write_page

    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    out = tmp_path_factory.mktemp("browser") / "page"
    constants = write_page(out, root / "hf_model", root / "space" / "browser")
    return out, constants


@pytest.fixture(scope="session")
def served(built):
    """Its address on this machine."""
    from train.release.browser_server import serve

    with serve(built[0], 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def cases(root, tmp_path_factory) -> pathlib.Path:
    """Forty pictures and what Python makes of them."""
    import PIL.Image
    import skimage.data

    from tests.browser.cases import write_cases
    from tests.browser.pictures import forty

    out = tmp_path_factory.mktemp("cases")
    write_cases(out, forty(PIL.Image.fromarray(skimage.data.astronaut())), root / "hf_model")
    return out
