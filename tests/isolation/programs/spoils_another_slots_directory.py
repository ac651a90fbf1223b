# Learns the names of the directories of other slots by inotify(7), and takes their modes away. Must spoil none.
import ctypes, os, select, struct, time

libc = ctypes.CDLL(None)
fd = libc.inotify_init1(0)
watch = libc.inotify_add_watch(fd, b'/tmp', 0xFFF)
seen, end = set(), time.time() + 1.5
while watch > 0 and time.time() < end:
    if not select.select([fd], [], [], 0.1)[0]:
        continue
    data, at = os.read(fd, 65536), 0
    while at < len(data):
        _, _, _, length = struct.unpack_from('iIII', data, at)
        seen.add(data[at + 16 : at + 16 + length].rstrip(b'\0').decode())
        at += 16 + length
for name in seen:
    if name.startswith('runner-') and name not in os.getcwd():
        try:
            os.chmod(f'/tmp/{name}/workspace', 0)
            print('spoiled', name)
        except OSError:
            pass
