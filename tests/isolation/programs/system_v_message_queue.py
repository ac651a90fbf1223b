# Makes a message queue of System V; finds it by its key. In another slot that must find nothing.
def make():
    libc.msgget(0x5CA1AB20, 0o1666)

def find():
    i = libc.msgget(0x5CA1AB20, 0)
    if i >= 0:
        libc.msgctl(i, 0, None)
    return i >= 0
