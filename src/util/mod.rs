//! Small leaves that several structures share.

pub(crate) mod backoff;
pub(crate) mod padded;
