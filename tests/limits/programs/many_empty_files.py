# Makes 50,000 files without content, which take inodes of the file system in memory. Must count as memory of the
# program's.
import os, time

print('kept', flush=True)
for n in range(50000):
    open(f'f{n}', 'w').close()
time.sleep(float(os.environ['REST']))
print('done')
