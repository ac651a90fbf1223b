"""Before the fork: modules that ask to be told of forks, and what becomes of that where no program is concerned."""

# How modules ask, and what they asked while they were imported.
real_register, registering, registered = os.register_at_fork, True, []
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
        # That is done before every fork (`seeds`).
        or "random" in sys.modules and hook == sys.modules["random"]._inst.seed
    )


def make_loud():
    """In each child, where hooks have run in the zygote."""
    global quiet
    quiet = False


posix.register_at_fork = os.register_at_fork = register_at_fork
