//! The processor instructions the kernels use, behind arrays instead of pointers.
//!
//! Every function here wants the instructions of `Kind::Avx512Vnni`; callers have the same wish written on them.

use std::arch::asm;
use std::arch::x86_64::{
    __m128i, __m512, __m512i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm_storeu_si128, _mm256_loadu_si256,
    _mm512_add_ps, _mm512_cvtepu8_epi32, _mm512_cvtph_ps, _mm512_cvtps_epi32, _mm512_div_ps, _mm512_fmadd_ps,
    _mm512_fnmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_max_ps,
    _mm512_min_ps, _mm512_mul_ps, _mm512_roundscale_ps, _mm512_scalef_ps, _mm512_set1_ps, _mm512_storeu_ps,
    _mm512_storeu_si512,
};

/// Floats in a register.
pub(crate) const LANES: usize = 16;

macro_rules! kernel {
    ($(#[$meta:meta])* fn $name:ident($($arg:ident: $kind:ty),*) $(-> $out:ty)? $body:block) => {
        $(#[$meta])*
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
        #[expect(unsafe_code, reason = "loads and stores take pointers")]
        pub(crate) fn $name($($arg: $kind),*) $(-> $out)? $body
    };
}

kernel! { fn load(floats: &[f32; LANES]) -> __m512 {
    // SAFETY: the array is exactly as long as the load.
    unsafe { _mm512_loadu_ps(floats.as_ptr()) }
}}

kernel! {
/// As many as there are, zeros behind them.
fn load_some(floats: &[f32]) -> __m512 {
    let count = floats.len().min(LANES);
    // SAFETY: the mask keeps the load inside the slice.
    unsafe { _mm512_maskz_loadu_ps(first(count), floats.as_ptr()) }
}}

kernel! { fn load_bytes(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the array is exactly as long as the load.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}}

/// Sixteen floats where bytes of a file lie, of 32 bits or of 16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "loads take pointers")]
pub(crate) fn load_floats<const N: usize>(bytes: &[u8; N]) -> __m512 {
    const { assert!(N == 64 || N == 32, "sixteen floats") };
    // SAFETY: the array is exactly as long as either load.
    unsafe {
        if N == 64 {
            _mm512_loadu_ps(bytes.as_ptr().cast())
        } else {
            _mm512_cvtph_ps(_mm256_loadu_si256(bytes.as_ptr().cast()))
        }
    }
}

kernel! {
/// Sixteen bytes, each the number of its lane.
fn load_widened(bytes: &[u8; LANES]) -> __m512i {
    // SAFETY: the array is exactly as long as the load.
    _mm512_cvtepu8_epi32(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}}

kernel! { fn load_signed(bytes: &[i8; 64]) -> __m512i {
    // SAFETY: the array is exactly as long as the load.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}}

kernel! { fn load_integers(integers: &[i32; LANES]) -> __m512i {
    // SAFETY: the array is exactly as long as the load.
    unsafe { _mm512_loadu_si512(integers.as_ptr().cast()) }
}}

kernel! {
/// Adds to each lane of `sum` the four products of its unsigned codes with the signed bytes of `four`.
fn add_products(sum: __m512i, codes: __m512i, four: &i32) -> __m512i {
    let mut sum = sum;
    // Written out, since compilers that see neighbouring numbers load them together and take them apart again, which
    // takes longer than the products.
    // SAFETY: reads the number behind the reference and writes nothing but the register.
    unsafe {
        asm!(
            "vpdpbusd {sum}, {codes}, dword ptr [{four}]{{1to16}}",
            sum = inout(zmm_reg) sum,
            codes = in(zmm_reg) codes,
            four = in(reg) std::ptr::from_ref(four),
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    sum
}}

kernel! { fn store(out: &mut [f32; LANES], floats: __m512) {
    // SAFETY: the array is exactly as long as the store.
    unsafe { _mm512_storeu_ps(out.as_mut_ptr(), floats) }
}}

kernel! {
/// As many as there is room for.
fn store_some(out: &mut [f32], floats: __m512) {
    let count = out.len().min(LANES);
    // SAFETY: the mask keeps the store inside the slice.
    unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr(), first(count), floats) }
}}

kernel! { fn store_signed(out: &mut [i8; 64], bytes: __m512i) {
    // SAFETY: the array is exactly as long as the store.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), bytes) }
}}

kernel! { fn store_integers(out: &mut [i32; LANES], integers: __m512i) {
    // SAFETY: the array is exactly as long as the store.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), integers) }
}}

kernel! { fn store_sixteen(out: &mut [i8; 16], bytes: __m128i) {
    // SAFETY: the array is exactly as long as the store.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), bytes) }
}}

/// Asks for the memory so many bytes behind a place; it may lie outside of anything.
#[inline]
pub(crate) fn ahead<T>(place: *const T, bytes: usize) {
    #[expect(unsafe_code, reason = "a hint to the processor")]
    // SAFETY: a prefetch never faults, whatever the address.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(place.cast::<i8>().wrapping_add(bytes));
    }
}

/// The lowest `count` lanes.
pub(crate) fn first(count: usize) -> u16 {
    if count >= LANES { u16::MAX } else { (1 << count) - 1 }
}

/// `e` to the power of each lane, to within two units in the last place; infinities and what is far out saturate.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn exp(x: __m512) -> __m512 {
    // e^x = 2^n e^r with n whole and |r| <= ln(2) / 2; ln(2) in two parts, so that r is exact.
    let x = _mm512_max_ps(_mm512_min_ps(x, _mm512_set1_ps(88.7)), _mm512_set1_ps(-104.0));
    let n = _mm512_roundscale_ps::<8>(_mm512_mul_ps(x, _mm512_set1_ps(std::f32::consts::LOG2_E)));
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693_359_4), x);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.121_944_4e-4), r);
    // The Taylor series of e^r: its seventh term is below half a unit in the last place.
    let mut sum = _mm512_set1_ps(1.0 / 720.0);
    for factor in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = _mm512_fmadd_ps(sum, r, _mm512_set1_ps(factor));
    }
    _mm512_scalef_ps(sum, n)
}

/// `x / (1 + e^-x)`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn silu(x: __m512) -> __m512 {
    let one = _mm512_set1_ps(1.0);
    _mm512_div_ps(x, _mm512_add_ps(one, exp(_mm512_fnmadd_ps(x, one, _mm512_set1_ps(0.0)))))
}

/// The nearest whole numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn whole(x: __m512) -> __m512i {
    _mm512_cvtps_epi32(x)
}
