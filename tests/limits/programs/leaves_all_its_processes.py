# Forks until it can't, and fails, leaving its processes behind. Must be told which limit that was.
import os, time

try:
    while True:
        if os.fork() == 0:
            time.sleep(60)
except OSError:
    os._exit(4)
