# Has 13 processes with 300 epolls each, of which each watches 300 descriptors. It makes each look at its memory take
# long. Its timeout must hold all the same.
import os, select

ends = [os.pipe()[0] for _ in range(300)]
for _ in range(12):
    if os.fork() == 0:
        break
epolls = [select.epoll() for _ in range(300)]
for e in epolls:
    for end in ends:
        e.register(end, 1)
while True:
    os.dup2(0, 3)
