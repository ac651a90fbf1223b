# Takes 1.9 GB within 2 s, and says so in a file. Must be ended before, though files are moved meanwhile.
import time

kept = []
for _ in range(95):
    kept.append(b'x' * (20 << 20))
    time.sleep(0.02)
open('/workspace/whole', 'w').close()
time.sleep(60)
