# Clones itself so that the new process is a child of its own parent (CLONE_PARENT). Must not cost the verdict.
import os, sys

me = os.getpid()
r = call(int(sys.argv[1]), 0x8000 | 17, 0, 0, 0, 0)
if os.getpid() != me:
    os._exit(0)
print('survived')
