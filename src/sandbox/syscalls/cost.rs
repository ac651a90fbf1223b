//! What the kernel allocates, queues or runs for a call beyond its return, and who pays for it.

/// Each kind names what bounds it for one episode; `tests/README.md` says what remains, and what slots share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Nothing that outlives the call; its time in the kernel is CPU time of the caller.
    Nothing,
    /// Pages and page tables of the process: `memory_mb` counts them.
    Memory,
    /// A mapping, some 256 bytes: counted as memory where the address space is large enough for them to matter.
    Mapping,
    /// RLIMIT_MEMLOCK (8 MB), within what `memory_mb` counts.
    Locked,
    /// A descriptor and what is behind it: `open_files` for each process; where a tree has very many, they count as memory
    /// (`slot::kernel_memory`).
    Descriptor,
    /// Bytes on their way through a socket, and descriptors on theirs: the kernel's bound for each socket's buffer, and
    /// RLIMIT_NOFILE descriptors in flight for each uid. Buffers count as memory where there are many sockets.
    Socket,
    /// Pages in pipes: fs.pipe-user-pages-soft (64 MB) for each uid, beyond which a pipe holds two pages.
    Pipe,
    /// Blocks and inodes: `disk_mb`. In a private root both count as memory.
    File,
    /// Names, inodes and pages of files that the kernel keeps as long as nobody needs the memory.
    Cache,
    /// A lock on a file or a part of one, some 200 bytes, which no limit sees.
    FileLock,
    /// Something to watch: fs.epoll.max_user_watches for each uid, counted as memory where there are many descriptors;
    /// user.max_inotify_watches of the slot's user namespace.
    Watch,
    /// A process or thread, and what it needs of the kernel: `processes`.
    Process,
    /// A timer or a queued signal: RLIMIT_SIGPENDING of the slot's uid.
    Signal,
    /// System V objects, which count as memory and are gone with the episode.
    SystemV,
}
