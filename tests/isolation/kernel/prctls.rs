//! What a process may not change about itself.

use crate::case::{Control, refused};

refused! {
    the_memory_map_can_not_be_rewritten: ["set-mm"], Control::UserUnless("EINVAL");
    nobody_can_be_allowed_to_trace: ["set-ptracer"], Control::UserUnless("EINVAL");
    a_filter_can_not_be_added_by_prctl: ["set-seccomp"], Control::User;
    an_ambient_capability_can_not_be_raised: ["ambient-raise"], Control::Root;
    capabilities_can_not_be_kept: ["keepcaps"], Control::User;
    secure_bits_can_not_be_set: ["securebits"], Control::Root;
    the_bounding_set_can_not_be_changed: ["bounding-drop"], Control::Root;
    core_scheduling_can_not_be_asked_for: ["core-scheduling"], Control::UserUnless("EINVAL");
    system_calls_can_not_be_dispatched_to_the_program: ["user-dispatch"], Control::UserUnless("EINVAL");
    speculation_can_not_be_switched: ["speculation"], Control::UserUnless("EINVAL");
    the_time_stamp_counter_can_not_be_switched: ["tsc-off"], Control::UserUnless("EINVAL");
    the_machine_check_policy_can_not_be_set: ["machine-check-kill"], Control::UserUnless("EINVAL");
    address_randomisation_can_not_be_switched_off: ["personality", "40000"], Control::User;
    readable_memory_can_not_be_made_executable_by_default: ["personality", "400000"], Control::User;
    both_can_not_be_asked_for_at_once: ["personality", "440000"], Control::User;
}
