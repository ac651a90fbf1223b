# What programs of these tests begin with: burn() uses so many seconds of CPU time of its own process.
import os, time

def burn(s):
    start = time.process_time()
    while time.process_time() - start < s:
        pass
