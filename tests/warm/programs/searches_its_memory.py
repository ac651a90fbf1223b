# Looks in its own memory for what an earlier program was given, by a pattern that does not match itself. Must not find
# it.
import re

found = 0
for line in open('/proc/self/maps'):
    at = re.match(r'(\w+)-(\w+) rw', line)
    if not at:
        continue
    start, end = (int(x, 16) for x in at.groups())
    with open('/proc/self/mem', 'rb', 0) as memory:
        memory.seek(start)
        found += len(re.findall(rb'secret-[o]f-before', memory.read(end - start)))
print(found)
