//! What the unwinder has to know of a machine beyond its registers' numbers.

/// Signal-safe. An address without the signature that a machine may have put into its upper bits.
///
/// On 64-bit ARM a return address may be signed (pointer authentication). The addresses of programs have no more than 48
/// bits, so that the signature is all above them.
#[inline]
pub(super) const fn unsigned(address: u64) -> u64 {
    if cfg!(target_arch = "aarch64") { address & ((1 << 48) - 1) } else { address }
}
