"""At a program's end: whether anything that it made could notice that its process ends without being taken apart."""

streams = id(sys.stdout), id(sys.stderr)
own_stdin = set()
# Whether the program has an audit hook.
is_audited = False
# What the collector tells of as long as nobody freezes it.
unfrozen = None
# What the program exits with, once that is certain; then what is flushed once more when modules are gone.
status = last_streams = None
# A program may change what this module calls them.
get_objects, collectors_callbacks = gc.get_objects, gc.callbacks
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
