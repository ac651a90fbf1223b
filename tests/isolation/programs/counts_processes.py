# Counts the processes that it sees. Must see two, itself and init, or none.
import os

try:
    p = [e for e in os.listdir('/proc') if e.isdigit()]
    print('SEEN', len(p))
except OSError as e:
    print('denied')
