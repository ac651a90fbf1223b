//! Kernel facilities that programs under test have no use for.

use crate::case::{Control, refused};

refused! {
    a_bpf_map_can_not_be_made: ["bpf-map"], Control::Root;
    a_bpf_program_can_not_be_loaded: ["bpf-program"], Control::Root;
    performance_counters_can_not_be_opened: ["perf_event_open"], Control::RootUnless("ENOENT");
    an_io_uring_can_not_be_made: ["io_uring_setup"], Control::UserUnless("EPERM");
    an_io_uring_can_not_be_entered: ["io_uring_enter"], Control::UserUnless("ENOSYS");
    an_io_uring_can_not_be_registered_with: ["io_uring_register"], Control::UserUnless("ENOSYS");
    asynchronous_io_can_not_be_set_up: ["io_setup"], Control::UserUnless("ENOSYS");
    a_key_ring_can_not_be_asked_for: ["keyctl"], Control::UserUnless("ENOSYS");
    a_key_can_not_be_added: ["add_key"], Control::UserUnless("ENOSYS");
    a_key_can_not_be_requested: ["request_key"], Control::UserUnless("ENOSYS");
    fanotify_can_not_be_started: ["fanotify_init"], Control::UserUnless("ENOSYS");
    a_file_handle_can_not_be_had: ["name_to_handle_at"], Control::User;
    a_file_can_not_be_opened_by_handle: ["open_by_handle_at"], Control::Root;
    profiling_cookies_can_not_be_looked_up: ["lookup_dcookie"], Control::RootUnless("ENOSYS");
    the_nfs_server_can_not_be_controlled: ["nfsservctl"], Control::RootUnless("ENOSYS");
    quotas_can_not_be_asked_for: ["quotactl"], Control::UserUnless("ENOSYS");
    quotas_can_not_be_asked_for_by_descriptor: ["quotactl_fd"], Control::UserUnless("ENOSYS");
    a_seccomp_filter_can_not_be_added: ["seccomp-filter"], Control::User;
    a_seccomp_listener_can_not_be_made: ["seccomp-listener"], Control::User;
    processes_can_not_be_compared: ["kcmp"], Control::UserUnless("ENOSYS");
    a_descriptor_can_not_be_taken_from_a_process: ["pidfd_getfd"], Control::User;
    memory_of_a_process_can_not_be_advised_on: ["process_madvise"], Control::User;
    memory_of_a_process_can_not_be_released: ["process_mrelease"], Control::User;
    security_attributes_can_not_be_set: ["lsm_set_self_attr"], Control::UserUnless("ENOSYS");
    the_page_cache_can_not_be_asked_about: ["cachestat"], Control::UserUnless("ENOSYS");
    a_message_queue_can_not_be_opened: ["mq_open"], Control::UserUnless("ENOSYS");
}
