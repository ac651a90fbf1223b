//! What the processes that fork programs give up before they fork any.

use crate::sandbox::privileges;
use crate::sandbox::seccomp::Filter;
use crate::sandbox::syscalls::Setting;
use crate::wire::failure::{Failure, Stage};
use crate::wire::message::Setup;

/// What zygotes of every kind give up, for themselves and all that they fork. The filter comes back to be installed
/// last: it denies part of this.
pub(super) fn give_up(setup: &Setup) -> Result<Filter, Failure> {
    privileges::fixed_rlimits()?;
    privileges::drop_all()?;
    privileges::forbid_new()?;
    privileges::forbid_inspection()?;
    filter(setup)
}

/// The filter of a slot, to be installed last.
pub(super) fn filter(setup: &Setup) -> Result<Filter, Failure> {
    let setting = Setting {
        tier: setup.tier,
        own_uid: setup.ids.change,
        network: setup.grants.network,
    };
    Filter::compile(setting).map_err(|_| Failure::new(Stage::Seccomp, libc::EINVAL))
}
