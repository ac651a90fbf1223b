# Ignores the signals that ask it to end. Must end at its timeout, and what it has printed must be returned.
import signal, time

for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(s, signal.SIG_IGN)
print('kept', flush=True)
time.sleep(6)
print('done')
