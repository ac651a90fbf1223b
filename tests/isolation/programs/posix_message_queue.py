# Makes a message queue of POSIX; finds it by its name. In another slot that must find nothing.
def make():
    libc.mq_open(b'/runner-test-mq', os.O_CREAT | os.O_RDWR, 0o666, None)

def find():
    q = libc.mq_open(b'/runner-test-mq', os.O_RDWR)
    if q >= 0:
        libc.mq_unlink(b'/runner-test-mq')
    return q >= 0
