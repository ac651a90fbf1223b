# Makes 210,000 files, and one that is asked for by its name. That one must be found.
import os

for i in range(210000):
    os.mknod(f'n{i}')
open('zzz', 'w').write('found')
os.mkdir('directory')
