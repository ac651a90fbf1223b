# Fails for a reason of its own, with two processes. Must not be told of a limit.
import os, sys, time

if os.fork() == 0:
    time.sleep(60)
time.sleep(1.2)
sys.exit(5)
