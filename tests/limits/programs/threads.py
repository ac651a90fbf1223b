# Starts as many threads as its argument says, and says how many there were. No more must be possible than the limit
# allows.
import sys, threading

n, end = 0, threading.Event()
try:
    while n < int(sys.argv[1]):
        threading.Thread(target=end.wait, daemon=True).start()
        n += 1
except RuntimeError:
    print(n, 'EAGAIN')
else:
    print(n, 'all')
end.set()
