# Five processes share 100 MB, and one stops itself: to be counted all are stopped, and then only the others may go on.
import os, signal, time

data = b'x' * (100 << 20)
pids = []
for n in range(4):
    pid = os.fork()
    if pid == 0:
        if n == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(2)
        os._exit(0)
    pids.append(pid)
for pid in pids[1:]:
    os.waitpid(pid, 0)
time.sleep(0.5)
print(os.waitpid(pids[0], os.WNOHANG))
os.kill(pids[0], signal.SIGKILL)
