"""What a fork becomes: a zygote, with what all programs of its slot have in common, and then a program."""


def adopt(env):
    """In the zygote: what all programs of its slot have in common. It is not to learn more of one than the fork needs,
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
