# Makes 60,000 files with names of 255 bytes in one directory, and nine in another. Only the second must be sent.
import os

os.mkdir('d')
[os.mknod(f'd/{i:05}' + 'n' * 250) for i in range(60000)]
os.mkdir('few')
[os.mknod(f'few/{i}' + 'n' * 250) for i in range(9)]
