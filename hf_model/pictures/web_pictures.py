"""What a pipeline of transformers takes beyond the predictor's inputs: web addresses, base64, dicts. Bounded, unlike
its own.

The predictor itself fetches nothing.
"""

import http.client
import ipaddress
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping

import numpy as np
import PIL.Image

from .inputs import InvalidImageError, describe, from_base64

MOST_BYTES = 20_000_000
MOST_SECONDS = 10.0
MOST_REDIRECTS = 3
KEYS = ("image", "images", "inputs", "url", "path", "bytes")  # of a dict with a picture, the first that is there
LEAST_BASE64 = 64  # characters: a shorter text that is no file is a mistyped name


class _FewRedirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MOST_REDIRECTS


def fetch(address: str, timeout: float | None = None) -> bytes:
    """The bytes at a web address: at most 20 MB, in ``timeout`` seconds (None: 10), behind at most 3 redirects.

    Raises:
        InvalidImageError: it cannot be had so.
    """
    return _fetch(address, urllib.request.build_opener(_FewRedirects), timeout or MOST_SECONDS)


def _fetch(address: str, opener: urllib.request.OpenerDirector, seconds: float = MOST_SECONDS) -> bytes:
    source, end = describe(address), time.monotonic() + seconds
    request = urllib.request.Request(address, headers={"User-Agent": "age-gender-face"})
    try:
        with opener.open(request, timeout=seconds) as response:
            content = bytearray()
            while piece := response.read1(1 << 16):
                content += piece
                if len(content) > MOST_BYTES:
                    raise InvalidImageError(source, f"is larger than {MOST_BYTES // 1_000_000} MB")
                if time.monotonic() > end:
                    raise InvalidImageError(source, f"took longer than {seconds:g} seconds")
            return bytes(content)
    except InvalidImageError:
        raise
    except urllib.error.HTTPError as error:
        reason = "has too many redirects" if "redirect" in str(error.reason) else f"answered {error.code}"
        raise InvalidImageError(source, reason) from None
    except (OSError, ValueError) as error:
        raise InvalidImageError(source, f"could not be fetched ({getattr(error, 'reason', error)})") from None


def fetch_public(address: str) -> bytes:
    """As :func:`fetch`, over https alone, and from no private, loopback or link-local address, behind each redirect
    too.

    Raises:
        InvalidImageError: it cannot be had so.
    """
    return _fetch(address, _public_opener())


def _public_opener() -> urllib.request.OpenerDirector:
    """Without proxies, whose address would be the one that is looked at, and without other schemes."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        _PublicHandler(),
        _FewRedirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener


class _PublicConnection(http.client.HTTPSConnection):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._create_connection = connect_public  # looked at where it connects: a name may mean another address by then


class _PublicHandler(urllib.request.HTTPSHandler):
    def https_open(self, request):
        return self.do_open(_PublicConnection, request)


def connect_public(address: tuple[str, int], timeout=None, source_address=None) -> socket.socket:
    """A connection as :func:`socket.create_connection` makes it, to addresses of the public net alone.

    Raises:
        OSError: the host has none, or does not answer.
    """
    host, port = address
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    private = [place[0] for *_, place in found if not ipaddress.ip_address(str(place[0]).partition("%")[0]).is_global]
    if private:
        raise OSError(f"{host} is at {private[0]}, which is no public address")
    return socket.create_connection((str(found[0][4][0]), port), timeout, source_address)


def picture_of(value, timeout: float | None = None):
    """What the predictor is given for an input of a pipeline; ``timeout`` as for :func:`fetch`.

    Raises:
        InvalidImageError: an address that cannot be fetched, a broken data URI, or a dict without a picture.
    """
    if isinstance(value, Mapping):
        key = next((key for key in KEYS if value.get(key) is not None), None)
        if key is None:
            raise InvalidImageError(describe(value), f"is a dict without a picture; it wants one of {', '.join(KEYS)}")
        return picture_of(value[key], timeout)
    if not isinstance(value, str):
        return value
    if value[:7].lower() == "http://" or value[:8].lower() == "https://":
        return fetch(value, timeout)
    if value[:5].lower() == "data:":
        return from_base64(value)
    if len(value) >= LEAST_BASE64 and not _is_file(value):
        return from_base64(value)
    return value


def _is_file(name: str) -> bool:
    try:
        return os.path.exists(name)
    except (OSError, ValueError):
        return False


def is_stream(images) -> bool:
    """Whether ``images`` gives pictures one after another, as generators and datasets' columns do, and is not one
    picture."""
    if isinstance(images, (str, bytes, bytearray, memoryview, Mapping, np.ndarray, PIL.Image.Image)) or hasattr(
        images, "read"
    ):
        return False
    return (
        hasattr(images, "__next__")
        or (hasattr(images, "__len__") and hasattr(images, "__getitem__"))
        or hasattr(images, "__iter__")
    )
