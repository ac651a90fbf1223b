"""What a warm Python does in Python: before it is forked (load, settle), and in each child before the program (prepare).

None of these frames is on the stack while a program runs, and none of these names is in a module it could import.
"""
import atexit
import gc
import posix
import sys
from _io import FileIO, BufferedReader, TextIOWrapper
from os import environ

started_with = set(sys.modules)
preloaded = []
left_alone = []
unnatural = set()
streams = id(sys.stdout), id(sys.stderr)
# What the program exits with, once that is certain; then what is flushed once more when modules are gone.
status = last_streams = None


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
    left_alone.extend(
        (name, module, names_in(module))
        for name, module in sys.modules.items()
        if name not in ("sys", "builtins", "__main__")
    )
    gc.collect()
    gc.freeze()
    return ",".join(sorted({name.partition(".")[0] for name in preloaded}))


def names_in(module):
    return len(getattr(module, "__dict__", ()))


def let_go():
    """The last callback at exit: modules that the program had no part in are left to the kernel, not taken apart."""
    modules = sys.modules
    for name, module, names in left_alone:
        # One that was given something takes that along, as it would have.
        if modules.get(name) is module and names_in(module) == names:
            # As the interpreter itself does a moment later.
            modules[name] = None
    if status is not None:
        keep_streams(sys.stdout, sys.stderr)


def keep_streams(*found):
    """Lets the process end early, unless the flush that follows has something to say about these."""
    global last_streams
    if tuple(map(id, found)) != streams:
        return
    try:
        for stream in found:
            if stream.closed:
                return
            stream.flush()
    except (OSError, ValueError):
        return
    last_streams = found


atexit.register(let_go)


def prepare(argv, env, stdin_is_device):
    """Makes this process's own what Python settled at its start for the parent."""
    variables = [entry.partition(b"=")[::2] for entry in env]
    environ._data.clear()
    environ._data.update(variables)
    posix.environ.clear()
    posix.environ.update(variables)
    text = [entry.decode("utf-8", "surrogateescape") for entry in argv]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = text
    sys.argv[:] = text[1:] if text[1] not in ("-c", "-m") else text[1:2] + text[3:]
    directory, _, name = sys.executable.rpartition("/")
    called = text[0].rpartition("/")[2]
    if called != name:
        sys.executable = f"{directory}/{called}"
        if getattr(sys, "_base_executable", None) == f"{directory}/{name}":
            sys._base_executable = sys.executable
    modules = sys.modules
    # A module of its own: one from before the freeze would never be collected.
    old, new = modules["__main__"], type(sys)("__main__")
    vars(new).update(vars(old), __annotations__={})
    modules["__main__"] = new
    site = modules.get("site")
    if site is not None and site.USER_BASE is not None:
        site.USER_BASE = site.USER_SITE = None
        site.getusersitepackages()
    if stdin_is_device:
        # Only pipes behave like the pipe that the parent has.
        old = sys.stdin
        raw = FileIO(0, "rb", closefd=False)
        raw.name = "<stdin>"
        new = TextIOWrapper(BufferedReader(raw), old.encoding, old.errors, "\n", False)
        new.mode = "r"
        sys.stdin = sys.__stdin__ = new
    tempfile = modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None
    logging = modules.get("logging")
    if logging is not None:
        time = modules["time"]
        exact = isinstance(logging._startTime, int)
        logging._startTime = time.time_ns() if exact else time.time()
    numpy_random = modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
