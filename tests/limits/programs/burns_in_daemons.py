# Uses CPU time in eight daemons, whose parents end before them. All of it must count, and end in cpu_limit.
for _ in range(8):
    r, w = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            burn(0.08)
        os._exit(0)
    os.wait()
    os.close(w)
    os.read(r, 1)
    os.close(r)
