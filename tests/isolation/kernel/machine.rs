//! Settings of the machine: clocks, modules, names, swap.

use crate::case::{Control, refused};

refused! {
    a_module_can_not_be_loaded: ["init_module"], Control::RootUnless("ENOSYS");
    a_module_can_not_be_loaded_by_descriptor: ["finit_module"], Control::RootUnless("ENOSYS");
    a_module_can_not_be_removed: ["delete_module"], Control::RootUnless("ENOSYS");
    another_kernel_can_not_be_loaded: ["kexec_load"], Control::RootUnless("ENOSYS");
    another_kernel_can_not_be_loaded_by_descriptor: ["kexec_file_load"], Control::RootUnless("ENOSYS");
    the_kernels_log_can_not_be_read: ["syslog"], Control::Root;
    the_time_can_not_be_set: ["settimeofday"], Control::Root;
    a_clock_can_not_be_set: ["clock_settime"], Control::Root;
    the_clock_can_not_be_adjusted: ["adjtimex"], Control::Root;
    a_clock_can_not_be_adjusted_by_number: ["clock_adjtime"], Control::Root;
    swap_can_not_be_added: ["swapon"], Control::RootUnless("ENOSYS");
    swap_can_not_be_removed: ["swapoff"], Control::RootUnless("ENOSYS");
    the_machine_can_not_be_rebooted: ["reboot"], Control::Root;
    the_host_can_not_be_renamed: ["sethostname"], Control::Root;
    the_domain_can_not_be_renamed: ["setdomainname"], Control::Root;
    accounting_can_not_be_switched: ["acct"], Control::RootUnless("ENOSYS");
    terminals_can_not_be_hung_up: ["vhangup"], Control::Root;
    a_character_device_can_not_be_made: ["mknod"], Control::Root;
    a_block_device_can_not_be_made: ["mknod-block"], Control::Root;
}
