# Writes so many megabytes as its argument says at the end of each of two trees of 300 levels. They must count like any
# others.
import os, sys, time

top = os.getcwd()
for down in 'ab':
    os.chdir(top)
    os.mkdir('to-' + down)
    os.chdir('to-' + down)
    for i in range(300):
        for name in 'ab':
            os.mkdir(name)
        os.chdir(down)
    open('f', 'wb').write(bytes(int(sys.argv[1]) << 20))
time.sleep(4)
