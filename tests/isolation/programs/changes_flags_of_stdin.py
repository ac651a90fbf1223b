# Changes flags and the signal of its stdin, and locks it. The next program must have an open file of its own.
import fcntl, os

fcntl.fcntl(0, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND)
fcntl.fcntl(0, 10, 12)
fcntl.flock(0, fcntl.LOCK_SH)
