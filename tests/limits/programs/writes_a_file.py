# Writes 150 MB to the file that its argument names, which lies in memory. Must be over a limit below that, and do no
# harm under one above.
import sys, time

print('kept', flush=True)
f = open(sys.argv[1], 'wb')
for _ in range(150):
    f.write(b'x' * (1 << 20))
f.flush()
time.sleep(2)
print('done')
