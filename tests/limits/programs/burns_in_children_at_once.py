# Uses CPU time in three children at once. All of it must count, and end in cpu_limit.
for _ in range(3):
    if os.fork() == 0:
        burn(0.2)
        os._exit(0)
for _ in range(3):
    os.wait()
