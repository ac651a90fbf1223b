# Makes 12,000 files whose paths have 720 characters, and one more. What collect returns must stay within its cap.
import os

name = 'n' * 240
os.makedirs(name + '/' + name + '/' + name)
for i in range(12000):
    os.mknod(f'{name}/{name}/{name}/{i:05}')
open('a', 'w').write('kept')
