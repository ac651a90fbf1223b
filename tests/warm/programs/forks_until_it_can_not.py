# Forks until it can't, and leaves all of them. The next program must run warm all the same.
import os

try:
    while True:
        if os.fork() == 0:
            os.setsid()
            import time

            time.sleep(60)
except OSError:
    print('enough')
