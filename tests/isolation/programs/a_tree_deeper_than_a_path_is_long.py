# Leaves a tree of 600 levels, deeper than any path is long. Must be gone.
import os

for i in range(600):
    os.mkdir('d' * 20)
    os.chdir('d' * 20)
open('f', 'w').write('x')
