"""What a warm Python does in Python: before it is forked (load, settle), and in each child before the program (prepare).

None of these frames is on the stack while a program runs, and none of these names is in a module it could import.
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
streams = id(sys.stdout), id(sys.stderr)
# Modules that programs find, and whether all of them come with Python.
known_modules, only_standard = set(), False
own_stdin = set()
# Whether the program has an audit hook.
is_audited = False
# What the collector tells of as long as nobody freezes it.
unfrozen = None
# What the program exits with, once that is certain; then what is flushed once more when modules are gone.
status = last_streams = None


# How modules ask to be told of forks, and what they asked while they were imported.
real_register, registering, registered = os.register_at_fork, True, []
# A program may change what these modules call them.
get_objects, collectors_callbacks = gc.get_objects, gc.callbacks
IDLE_HOOKS = {
    ("threading", "_after_fork"),
    ("logging", "_after_at_fork_child_reinit_locks"),
    ("asyncio.events", "on_fork"),
}
# Modules that may have been there before us and register hooks, and those that come with environments and register none.
WITH_HOOKS = {"threading", "random", "logging", "asyncio.events", "concurrent.futures.thread"}
WITHOUT_HOOKS = {"__main__", "_distutils_hack", "_virtualenv"}
# Whether forks are no business of any program, and whether hooks have to run even so.
quiet, has_hooks = False, True


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


def register_at_fork(**hooks):
    """In place of the real one while modules are imported."""
    if registering:
        registered.append(hooks)
    else:
        real_register(**hooks)


def settle_hooks():
    """Makes one set of hooks of those that modules have registered. Where a child takes over from the zygote only those
    run that have something to do in a process of a single thread that holds no lock."""
    global registering, has_hooks
    registering = False
    posix.register_at_fork = os.register_at_fork = real_register
    needed = [hooks for hooks in registered if not is_idle(hooks.get("after_in_child"))]

    earlier = [sys.modules[name] for name in started_with - WITHOUT_HOOKS if name in sys.modules]
    has_hooks = (
        bool(needed)
        or not WITH_HOOKS.isdisjoint(started_with)
        or not all(is_standard(module) or is_built_in(module) for module in earlier)
    )

    def run(when, everything, some):
        def hook():
            for hooks in some if quiet else everything:
                if when in hooks:
                    hooks[when]()
        return hook

    if registered:
        real_register(
            before=run("before", registered[::-1], needed[::-1]),
            after_in_child=run("after_in_child", registered, needed),
            after_in_parent=run("after_in_parent", registered, needed),
        )


def is_idle(hook):
    module, name = getattr(hook, "__module__", None), getattr(hook, "__qualname__", None)
    return (
        (module, name) in IDLE_HOOKS
        or name == "lock._at_fork_reinit"
        # `refresh` does that.
        or "random" in sys.modules and hook == sys.modules["random"]._inst.seed
    )


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


# Types whose objects do nothing when they are freed but free others.
PLAIN = {
    dict, list, tuple, set, frozenset, property, staticmethod, classmethod, super, slice, range, zip, map, filter,
    enumerate, reversed, mappingproxy, type(lambda: 0), type([].append), type("".join), type(sys),
    type((lambda self: 0).__get__(0)), type((lambda: sys).__code__), type(dict.__dict__["get"]),
    type(object.__init__), type("".__str__), type(type.__dict__["__doc__"]), type(type.__dict__["__flags__"]),
    type(RLock()), type(allocate_lock()), type({}.keys()), type({}.values()), type({}.items()), type(iter([])), type(iter(())), type(iter({})),
}
ROOTS = {object, dict, list, tuple, set, frozenset, int, float, complex, str, bytes, type}
# Context variables and the trees that hold them, by name: a program can't make types like these, and they are not to be
# imported for this.
OF_CONTEXTS = {"Context", "ContextVar", "Token", "hamt", "hamt_bitmap_node", "hamt_array_node", "hamt_collision_node"}
HEAP, IMMUTABLE = 1 << 9, 1 << 8
# A program that leaves more behind than this takes as long to look through as to take apart.
MOST = 20_000


def is_harmless(kind):
    """Whether freeing an object of this type, other than the plain ones, can't be noticed: it was made by a class
    statement, of plain bases, and has no `__del__`."""
    if type(kind) is not type and type(kind) is not ABCMeta or hasattr(kind, "__del__"):
        return False
    while kind.__flags__ & HEAP:
        if kind.__flags__ & IMMUTABLE:
            return False
        kind = kind.__base__
    return kind in ROOTS or issubclass(kind, BaseException) or kind.__name__ in OF_CONTEXTS


def modules_of_program():
    """Those that were loaded last: the others are not even looked at, which would copy the pages they are in."""
    for name in reversed(sys.modules):
        if name in known_modules:
            return
        yield sys.modules[name]


def ends_silently():
    """Whether nothing that the program made would notice its end. What there was before the program is frozen, so that
    the collector knows its objects alone; those it does not know of have no way to notice."""
    if sys.version_info < (3, 10) or not only_standard or is_audited or sys.getprofile() or sys.gettrace():
        return False
    if collectors_callbacks:
        return False
    # What C made may have reasons of its own; and what is no module may run code of the program's when it is asked.
    if any(type(module) is not type(sys) or is_extension(module) for module in modules_of_program()):
        return False
    made = get_objects()
    # Of what is frozen the collector no longer tells: then it has been frozen by the program, this one with the rest.
    if len(made) > MOST or not any(thing is unfrozen for thing in made):
        return False
    harmless = set()
    for thing in made:
        kind = type(thing)
        if kind not in PLAIN and kind not in harmless and id(thing) not in own_stdin:
            if kind is type or kind is ABCMeta:
                # Its instances may be unknown to the collector.
                if "__del__" in vars(thing):
                    return False
            elif kind is ref:
                if thing.__callback__ is not None and not is_idle_callback(thing.__callback__):
                    return False
            elif is_harmless(kind):
                harmless.add(kind)
            else:
                return False
    return True


def is_idle_callback(callback):
    """Whether it is what an abstract class calls when a class it has remembered goes: then it forgets it."""
    return (
        type(callback) is type(len)
        and callback.__name__ == "_destroy"
        and type(callback.__self__) is ref
    )


def silence():
    """In the zygote: what `silence.rs` looks at, and asks, to see that nothing has to be taken apart; None where that is
    never so. What it holds on to is not a program's to fill."""
    if sys.version_info < (3, 10) or not only_standard or object.__basicsize__ != 16:
        return None
    return list(PLAIN), (gc.get_objects, atexit._ncallbacks, sys.getprofile, sys.gettrace, gc.callbacks.__len__)


def let_go():
    """The last callback at exit: what nobody would notice is left to the kernel, not taken apart."""
    if status is None:
        return
    try:
        if ends_silently():
            keep_streams(sys.stdout, sys.stderr)
    except BaseException:
        # The program has changed what this relies on.
        pass
    if last_streams is not None:
        # Its end is that of this process.
        globals().pop("last", None)
    # Otherwise the interpreter ends as always. What the program has put into older objects is collected with them, and
    # nothing here keeps those.
    gc.unfreeze()
    registered.clear()


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
posix.register_at_fork = os.register_at_fork = register_at_fork
watch_variables(True)


def adopt(env):
    """In the zygote: what all programs of its slot have in common. It is not to learn more of one than is in `refresh`,
    or the next could find out."""
    global quiet
    set_environment(env)
    open_stdin()
    # As those of a program that has not begun, these belong to nobody.
    gc.freeze()
    # A module of the program's own: one from before the freeze would never be collected.
    old, new = sys.modules["__main__"], type(sys)("__main__")
    vars(new).update(vars(old), __annotations__={})
    sys.modules["__main__"] = new
    quiet = has_hooks


def seeds():
    """In the zygote: what is called before each fork, as no two programs are to have the same random numbers or keys, and
    with what."""
    found = []
    random, numpy = sys.modules.get("random"), sys.modules.get("numpy.random")
    if random is not None:
        generator = random._inst
        generator.seed()
        # What is left to do then is done in C, which writes to fewer pages.
        kind = type(generator)
        found.append(((kind.__base__ if kind is random.Random else kind).seed, generator))
    if numpy is not None:
        found.append((numpy.seed, None))
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:
        found.append((renew_key, processes))
    return found


def renew_key(processes):
    """By this key the processes of one program trust each other, and may send each other any object."""
    key = processes.AuthenticationString(os.urandom(32))
    processes.current_process()._config["authkey"] = key


def clock():
    """In the zygote: what else no two programs have in common, the time that logging begins at, and who tells it."""
    logging = sys.modules.get("logging")
    if logging is None:
        return None
    time = sys.modules["time"]
    return vars(logging), time.time_ns if isinstance(logging._startTime, int) else time.time


def native_thread():
    """The object that knows the process's number, if there is one."""
    thread = getattr(sys.modules.get("threading"), "_main_thread", None)
    return thread if hasattr(thread, "_native_id") else None


def make_loud():
    """In each child, where hooks have run in the zygote."""
    global quiet
    quiet = False


def rename(called):
    """In each child that was called by another name than the zygote, in the same directory."""
    directory, _, name = sys.executable.rpartition("/")
    sys.executable = f"{directory}/{called}"
    if getattr(sys, "_base_executable", None) == f"{directory}/{name}":
        sys._base_executable = sys.executable


def set_environment(env):
    variables = [entry.partition(b"=")[::2] for entry in env]
    environ._data.clear()
    environ._data.update(variables)
    posix.environ.clear()
    posix.environ.update(variables)
    site = sys.modules.get("site")
    if site is not None and site.USER_BASE is not None:
        site.USER_BASE = site.USER_SITE = None
        site.getusersitepackages()


def open_stdin():
    """As Python does at its start; how depends on what it is."""
    old = sys.stdin
    raw = FileIO(0, "rb", closefd=False)
    raw.name = "<stdin>"
    new = TextIOWrapper(BufferedReader(raw, raw._blksize), old.encoding, old.errors, "\n", False)
    new.mode = "r"
    own_stdin.update(map(id, (raw, new.buffer, new)))
    sys.stdin = sys.__stdin__ = new
