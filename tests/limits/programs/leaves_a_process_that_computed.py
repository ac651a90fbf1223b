# Leaves a process behind that has computed for 3 s, which must be no part of a later step's time.
r, w = os.pipe()
if os.fork() == 0:
    compute(3)
    os.write(w, b'x')
    time.sleep(1000)
os.read(r, 1)
