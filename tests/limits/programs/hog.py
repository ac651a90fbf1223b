# Holds 150 MB. Must be over a limit below that, and do no harm under one above.
import time

print('kept', flush=True)
hog = b'x' * (150 << 20)
time.sleep(2)
print('done')
