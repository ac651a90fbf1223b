# Makes a file in each of 45 levels of directories with long names. Must be collected, the deepest too.
import os

open('a', 'w').write('kept')
for i in range(45):
    os.mkdir('d' * 200)
    os.chdir('d' * 200)
    open('f', 'w').write(str(i))
