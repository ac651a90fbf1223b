# Looks for a terminal, at /dev/tty and behind its standard descriptors. Must find none.
import os

try:
    os.open('/dev/tty', os.O_RDWR)
    print('TERMINAL')
except OSError as e:
    print('none')
print([os.isatty(n) for n in range(3)], os.tcgetpgrp.__name__ and os.read(0, 1))
