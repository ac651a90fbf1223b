"""Before the fork: modules are imported, and what is found out about that is settled.

What a warm Python does in Python is in the files beside this one, which are run one after the other in one namespace:
`load.py`, `hooks.py` (who is told of forks), `end.py` (whether a program's end could be noticed) and `program.py` (what a
fork becomes). None of their frames is on the stack while a program runs, and none of their names is in a module that it
could import.
"""
import sys

started_with = set(sys.modules)

import atexit
import gc
import os
import posix
from _io import FileIO, BufferedReader, TextIOWrapper
from _thread import RLock, allocate_lock
from abc import ABCMeta
from os import environ
from types import MappingProxyType as mappingproxy
from weakref import ref

preloaded = []
unnatural = set()
# Names of variables that were looked up while modules were imported; all of them where somebody went through the list.
looked_up = set()
EVERY = "*"
# Modules that programs find, and whether all of them come with Python.
known_modules, only_standard = set(), False


class Watch:
    """Finds nothing. Notes submodules that are loaded when their package has long been imported: importing the package
    alone would not have made them attributes of it."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        parent = sys.modules.get(name.rpartition(".")[0])
        spec = getattr(parent, "__spec__", None)
        if parent is not None and not getattr(spec, "_initializing", False):
            unnatural.add(name)
        return None


class Lookups(dict):
    """The variables, while modules are imported: notes which of them matter."""

    def __getitem__(self, name):
        note(name)
        return dict.__getitem__(self, name)

    def get(self, name, default=None):
        note(name)
        return dict.get(self, name, default)

    def __contains__(self, name):
        note(name)
        return dict.__contains__(self, name)

    def __iter__(self):
        looked_up.add(EVERY)
        return dict.__iter__(self)

    def keys(self):
        looked_up.add(EVERY)
        return dict.keys(self)

    def items(self):
        looked_up.add(EVERY)
        return dict.items(self)

    def copy(self):
        looked_up.add(EVERY)
        return dict.copy(self)


def note(name):
    if isinstance(name, bytes):
        looked_up.add(name.decode("utf-8", "surrogateescape"))


def watch_variables(watched):
    """Whether lookups are noted from here on."""
    kind = Lookups if watched else dict
    environ._data = os.environb._data = kind(dict.items(environ._data))


def look_up_functions():
    """Those of the C library that programs, and we, call first: each is looked up then, and would be in every child."""
    posix.getpid()
    with FileIO("/dev/null", "wb") as null:
        null.write(b"\n")


def find(name):
    """Whether the module, or the package it is in, is there at all."""
    top = name.partition(".")[0]
    return any(finder.find_spec(top, None) is not None for finder in sys.meta_path)


def load(name):
    """Imports as a program would; the error, or None."""
    sys.meta_path.insert(0, Watch)
    try:
        exec(compile(f"import {name}", "<string>", "exec"), {"__name__": "__main__"})
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    finally:
        sys.meta_path.remove(Watch)
    sys.stdout.flush()
    sys.stderr.flush()
    return None


def is_standard(module):
    """Whether it comes with Python, and is Python: what C made is not made twice."""
    origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
    library = sys.modules["os"].__file__.rpartition("/")[0]
    return origin == "frozen" or (
        origin.startswith(library)
        and origin.endswith(".py")
        and "-packages/" not in origin[len(library):]
    )


def is_built_in(module):
    return getattr(getattr(module, "__spec__", None), "origin", None) == "built-in"


def is_extension(module):
    return type(getattr(module, "__dict__", {}).get("__loader__")).__name__ == "ExtensionFileLoader"


# Packages whose objects, those that C made, have nothing to free but memory.
SILENT = {"numpy", "pandas"}


def is_foreign(module):
    """Whether C made it that does not come with Python, and may make objects that do anything when they are freed."""
    library = sys.modules["os"].__file__.rpartition("/")[0]
    return (
        is_extension(module)
        and module.__name__.partition(".")[0] not in SILENT
        and (not module.__file__.startswith(library) or "-packages/" in module.__file__[len(library):])
    )


def is_used_through(package):
    """Whether a module that is loaded may reach for the package's submodules as its attributes."""
    found = sys.modules.get(package)
    return any(
        any(value is found for value in vars(module).values())
        for name, module in list(sys.modules.items())
        if hasattr(module, "__dict__") and not f"{name}.".startswith(f"{package}.")
    )


def settle(named):
    """The last thing before forking."""
    for name in sorted(unnatural - set(named)):
        parent, _, last = name.rpartition(".")
        module = sys.modules.get(name)
        if module is None or not is_standard(module) or is_used_through(parent):
            continue
        # Its own submodules go with it.
        for other in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
            del sys.modules[other]
        if getattr(sys.modules.get(parent), last, None) is module:
            delattr(sys.modules[parent], last)
    preloaded.extend(name for name in sys.modules if name not in started_with)
    watch_variables(False)
    global only_standard
    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None
    settle_hooks()
    look_up_functions()
    known_modules.update(sys.modules)
    only_standard = not any(map(is_foreign, sys.modules.values()))
    expressions = sys.modules.get("re")
    if expressions is not None and is_standard(expressions):
        PLAIN.update((expressions.Pattern, expressions.Match))
    gc.collect()
    gc.freeze()
    return ",".join(sorted({name.partition(".")[0] for name in preloaded}))


def variables():
    """Those that mattered, for `settle`'s caller."""
    return ",".join(sorted(name for name in looked_up if "," not in name))


watch_variables(True)
