//! Other ways into the kernel of x86-64: the 32-bit entry, x32, ports, segments.

use crate::case::{Control, refused};

refused! {
    the_32_bit_entry_is_closed: ["int80-getpid"], Control::User;
    the_32_bit_entry_does_not_mount: ["int80-mount"], Control::User;
    the_32_bit_entry_makes_no_socket_by_socketcall: ["int80-socketcall"], Control::User;
    the_32_bit_entry_makes_no_socket_by_number: ["int80-socket"], Control::User;
    the_x32_entry_is_closed: ["x32-getpid"], Control::UserUnless("ENOSYS");
    the_x32_entry_does_not_mount: ["x32-mount"], Control::UserUnless("ENOSYS");
    the_io_privilege_level_can_not_be_raised: ["iopl"], Control::RootUnless("ENOSYS");
    io_ports_can_not_be_opened: ["ioperm"], Control::RootUnless("ENOSYS");
    segments_can_not_be_read: ["modify_ldt-read"], Control::UserUnless("ENOSYS");
    a_segment_can_not_be_made: ["modify_ldt-write"], Control::UserUnless("ENOSYS");
}
