# Computes in ten children, one after the other. What the host keeps from them must not be taken from the timeout.
for _ in range(10):
    if os.fork() == 0:
        compute(0.2)
        os._exit(0)
    os.wait()
