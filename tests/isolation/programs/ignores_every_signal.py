# Ignores every signal that it can, and sleeps. Must end at its timeout.
import signal, time, os

for s in range(1, 65):
    try:
        signal.signal(s, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
os.setsid() if os.getpgrp() != os.getpid() else None
print('up', flush=True)
while True:
    time.sleep(1)
