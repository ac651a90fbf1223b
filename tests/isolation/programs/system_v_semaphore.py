# Makes a semaphore of System V; finds it by its key. In another slot that must find nothing.
def make():
    libc.semget(0x5CA1AB1F, 1, 0o1666)

def find():
    i = libc.semget(0x5CA1AB1F, 0, 0)
    if i >= 0:
        libc.semctl(i, 0, 0)
    return i >= 0
