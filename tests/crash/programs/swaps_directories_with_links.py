# Six processes in sessions of their own turn their directories into links to what the argument names, and back,
# without end. While all of it is removed, nothing outside must be touched.
import os, sys

for worker in range(6):
    if os.fork():
        continue
    os.setsid()
    for d in range(20):
        os.makedirs(f'w{worker}/{d}/x/y/z', exist_ok=True)
        os.symlink(sys.argv[1], f'w{worker}/l{d}')
    while True:
        for d in range(20):
            at = f'w{worker}/'
            try:
                os.rename(f'{at}{d}', f'{at}e')
                os.rename(f'{at}l{d}', f'{at}{d}')
                os.rename(f'{at}{d}', f'{at}l{d}')
                os.rename(f'{at}e', f'{at}{d}')
            except OSError:
                pass
print('begun', flush=True)
while True:
    os.wait()
