# Uses CPU time in eight children, one after the other. All of it must count, and end in cpu_limit.
for _ in range(8):
    if os.fork() == 0:
        burn(0.08)
        os._exit(0)
    os.wait()
