# Tries to raise its limits above the hard ones. Must print nothing.
import resource as r

for w in (r.RLIMIT_NPROC, r.RLIMIT_NOFILE, r.RLIMIT_CORE, r.RLIMIT_MEMLOCK):
    s, h = r.getrlimit(w)
    for new in (h + 1, r.RLIM_INFINITY):
        try:
            r.setrlimit(w, (s, new))
            if r.getrlimit(w) != (s, h):
                print('RAISED', w)
        except (OSError, ValueError):
            pass
