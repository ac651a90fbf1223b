# Starts threads as fast as it can. Must end by its timeout, and spoil nothing.
import threading, time

while True:
    try:
        threading.Thread(target=time.sleep, args=(60,)).start()
    except RuntimeError:
        pass
