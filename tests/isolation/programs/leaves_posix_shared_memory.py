# Leaves shared memory of POSIX under a name. The next episode must not find it.
try:
    from multiprocessing import shared_memory, resource_tracker

    s = shared_memory.SharedMemory('left', True, 4096)
    resource_tracker.unregister(s._name, 'shared_memory')
except OSError:
    pass
