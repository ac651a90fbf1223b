# Leaves a fifo, links to the host's files, a hard link and a socket. Must be gone.
import os, socket

os.mkfifo('fifo')
os.symlink('/etc/passwd', 'link')
os.symlink('/', 'root')
open('f', 'w').close()
os.link('f', 'hard')
try:
    socket.socket(socket.AF_UNIX).bind('s')
except OSError:
    pass
