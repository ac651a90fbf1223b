# Makes twenty thousand files. Must be a verdict where that is too many, and all must be gone.
import os

try:
    for i in range(20000):
        open(f'f{i}', 'w').close()
    print('made')
except OSError as e:
    print(e.errno)
    raise SystemExit(1)
