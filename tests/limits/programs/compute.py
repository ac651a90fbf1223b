# What the programs of these tests begin with: compute() uses so many seconds of CPU time.
import os, signal, time

def compute(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
