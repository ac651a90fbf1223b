# Writes as fast as it can, and goes on where no more can be written. Must change no verdict beside it.
n = 0
while True:
    with open(str(n % 50), 'ab') as f:
        try:
            f.write(bytes(1 << 20))
        except OSError:
            pass
    n += 1
