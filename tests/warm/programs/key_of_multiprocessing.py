# Prints the key by which processes of multiprocessing trust each other, its own and that of a child. Both must be the
# same, and no other program's.
import multiprocessing as m

print(m.current_process().authkey.hex(), len(m.current_process().authkey))
p = m.get_context('fork').Process(target=lambda: print(m.current_process().authkey.hex(), 0))
p.start()
p.join()
