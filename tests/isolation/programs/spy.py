# Looks for the program whose command line has `mark`, reads its environment and memory, and writes into its output. In
# a later step it must get nothing.
import os, sys, time

end = time.time() + 3
while time.time() < end:
    for pid in [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]:
        try:
            if b'mark' not in open(f'/proc/{pid}/cmdline', 'rb').read():
                continue
        except OSError:
            continue
        for name, do in (
            ('environ', lambda p: open(p).read(1)),
            ('fd/1', lambda p: open(p, 'w').write('FORGED\n')),
            ('mem', lambda p: open(p, 'rb')),
            ('cwd', os.listdir),
            ('root', os.listdir),
        ):
            try:
                do(f'/proc/{pid}/{name}')
                open('/tmp/got', 'a').write(name + '\n')
            except OSError as e:
                pass
    time.sleep(0.02)
