# Makes shared memory of POSIX; finds it by its name. In another slot that must find nothing.
import _posixshmem

def make():
    _posixshmem.shm_open('/runner-test-shm', os.O_CREAT | os.O_RDWR, mode=0o666)

def find():
    os.close(_posixshmem.shm_open('/runner-test-shm', os.O_RDWR, mode=0))
    _posixshmem.shm_unlink('/runner-test-shm')
    return True
