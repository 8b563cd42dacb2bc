"""Objects that pickle wherever their package was loaded from.

Imported as ``hf_model``, they pickle as any object does. Loaded from a folder under another name, as transformers'
doors do it, they carry the folder: whoever unpickles them loads it by its ``handler.py``, and needs nothing but Python
for that.
"""

import operator
import pathlib
import runpy
import sys

PLAIN = "hf_model"


class Portable:
    """An object with attributes, whose class another process can find again."""

    def __reduce_ex__(self, protocol):
        package, _, module = type(self).__module__.partition(".")
        if package == PLAIN:
            return super().__reduce_ex__(protocol)
        folder = pathlib.Path(sys.modules[package].__file__ or "").parent
        arguments = getattr(self, "args", ()) if isinstance(self, BaseException) else ()
        return _Restore(folder), (str(folder), module, type(self).__qualname__, arguments, self.__dict__)


class _Restore:
    """``restore`` of a folder's ``handler.py``, pickled as how it is got."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def __reduce__(self):
        return operator.getitem, (_Namespace(self.folder / "handler.py"), "restore")

    def __call__(self, *arguments):
        return runpy.run_path(str(self.folder / "handler.py"))["restore"](*arguments)


class _Namespace:
    """What a Python file defines, pickled as its path."""

    def __init__(self, path: pathlib.Path):
        self.path = path

    def __reduce__(self):
        return runpy.run_path, (str(self.path),)


def portable_call(function, arguments: tuple) -> tuple:
    """What ``__reduce__`` returns for an object that a function of this package makes anew, wherever that was loaded
    from."""
    package, _, module = function.__module__.partition(".")
    if package == PLAIN:
        return function, arguments
    folder = pathlib.Path(sys.modules[package].__file__ or "").parent
    return _Restore(folder), (str(folder), module, function.__qualname__, arguments)
