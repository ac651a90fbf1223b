//! Options of calls that are many in one. A program that is attached to a socket is compiled by the kernel, into memory
//! that all of the machine shares, and thousands that are freed at once hold up everybody.

use crate::case::{Control, inside, refused};
use crate::common::Way;
use crate::episodes::{output_of, python};

refused! {
    a_filter_can_not_be_attached_to_a_socket: ["socket-filter"], Control::User;
    a_filter_can_not_be_attached_to_a_group_of_sockets: ["socket-filter-of-group"], Control::UserUnless("EINVAL");
    the_filter_of_a_socket_can_not_be_locked: ["socket-filter-lock"], Control::User;
    /// SO_TIMESTAMP: slows down every packet of the machine.
    packets_are_not_stamped: ["set-socket-option", "29"], Control::User;
    /// SO_ZEROCOPY: pages of a process stay with the socket.
    pages_are_not_given_to_a_socket: ["set-socket-option", "60"], Control::UserUnless("EOPNOTSUPP");
    /// SO_GET_FILTER.
    a_filter_can_not_be_read_back: ["get-socket-option", "26"], Control::User;
    /// SIOCGIFBR, which loads a module for bridges.
    no_module_is_loaded_for_a_bridge: ["socket-ioctl", "0x8940"], Control::Impossible("it would load a module");
    /// SIOCGIFVLAN.
    no_module_is_loaded_for_a_vlan: ["socket-ioctl", "0x8982"], Control::Impossible("it would load a module");
    /// F_SETPIPE_SZ.
    a_pipe_can_not_be_made_larger: ["file-control", "1031", "1048576"], Control::User;
}

/// The host's interfaces would be those that a socketpair tells of where there is no network namespace.
#[test]
fn interfaces_of_the_host_are_not_told_of() {
    for way in Way::of_tier("landlock") {
        // SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFHWADDR, SIOCGIFINDEX.
        for request in ["0x8912", "0x8913", "0x8915", "0x8927", "0x8933"] {
            let answer = inside(way, &["socket-ioctl", request]);
            assert_eq!(answer, "denied EPERM", "{way:?} {request}");
        }
    }
    crate::case::assert_control(&["socket-ioctl", "0x8913"], Control::User);
}

/// PR_SET_VMA_ANON_NAME: each name is kept apart from the mapping, and counted by nothing.
#[test]
fn a_mapping_that_is_given_a_name_has_none() {
    let code = include_str!("../programs/names_a_mapping.py");
    for way in Way::of_tier("namespaces") {
        assert_eq!(
            output_of(way, &python("name", code)),
            "0 False\n",
            "{way:?}"
        );
    }
}
