//! What the processor of this machine can do.

/// A processor that has what the kernels need. A value of this type is the permission to call them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Processor(pub(crate) Kind);

/// Invariant: made by [`Processor::detect`] alone, so that a variant proves its instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// AVX-512 F, BW, DQ, VL and VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
}

impl Processor {
    /// The processor this runs on, if there are kernels for it.
    #[must_use]
    pub fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512dq")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512vnni")
        {
            return Some(Self(Kind::Avx512Vnni));
        }
        None
    }
}
