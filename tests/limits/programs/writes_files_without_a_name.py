# Writes 40 MB into four files without a name. Must end in disk_limit, whichever thread has them open.
for n in range(4):
    f = os.open(str(n), os.O_CREAT | os.O_RDWR)
    os.unlink(str(n))
    for _ in range(10):
        os.write(f, bytes(1 << 20))
time.sleep(60)
