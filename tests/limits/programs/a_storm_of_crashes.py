# Crashes in a hundred children, one after the other. The kernel's log must tell of few of them.
import ctypes, os

for i in range(100):
    if os.fork() == 0:
        ctypes.string_at(0)
    os.wait()
