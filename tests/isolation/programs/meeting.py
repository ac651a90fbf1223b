# What each of two programs does that run at the same time: make() and, in the other, once that is done, find(), which
# says what it got. In another slot it must get nothing.
import ctypes, os, sys, time

meeting, role = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)

def wait(name):
    for _ in range(3000):
        if os.path.exists(f'{meeting}/{name}'):
            return
        time.sleep(0.01)
    raise SystemExit('nobody came')

def say(name):
    open(f'{meeting}/{name}', 'w').close()

def main():
    if role == 'maker':
        try:
            make()
        except OSError as e:
            print('not made', e)
        say('made')
        wait('found')
    else:
        wait('made')
        try:
            print('FOUND' if find() else 'nothing')
        except OSError as e:
            print('nothing', e)
        say('found')
