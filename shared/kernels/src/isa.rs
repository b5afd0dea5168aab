//! Which vector instructions the kernels use: detected once, and can be lowered.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::{Result, error::refuse};

/// An instruction set, from the slowest to the fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Isa {
    /// What the compiler makes of plain Rust.
    Plain = 1,
    /// AVX2, FMA and F16C.
    Avx2 = 2,
    /// AVX-512 with its bf16 products.
    Avx512 = 3,
}

static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The instruction set in use.
#[inline]
pub fn isa() -> Isa {
    match CHOSEN.load(Ordering::Relaxed) {
        1 => Isa::Plain,
        2 => Isa::Avx2,
        3 => Isa::Avx512,
        _ => {
            let best = best_isa();
            CHOSEN.store(best as u8, Ordering::Relaxed);
            best
        }
    }
}

/// The best instruction set this processor has.
pub fn best_isa() -> Isa {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        let avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
        if avx2 {
            return if avx512 { Isa::Avx512 } else { Isa::Avx2 };
        }
    }
    Isa::Plain
}

/// Uses `isa` from now on, in the whole process; refused when the processor does not have it. Results of different sets agree
/// within rounding, not to the bit.
pub fn use_isa(isa: Isa) -> Result<()> {
    if isa > best_isa() {
        return refuse("use_isa", format!("this processor has {:?} at best, not {isa:?}", best_isa()));
    }
    CHOSEN.store(isa as u8, Ordering::Relaxed);
    Ok(())
}

/// Defines a function twice, for the baseline and with AVX2 enabled, and picks at run time. The body is plain Rust that the
/// compiler vectorises; it never fuses a multiply with an add, so both versions give the same bits.
macro_rules! vectorized {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<const $c:ident: $cty:ty>)? ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name $(<const $c: $cty>)? ($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::inline_always, reason = "the body must take on its caller's instruction set")]
            fn body $(<const $c: $cty>)? ($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            fn wide $(<const $c: $cty>)? ($($arg: $ty),*) $(-> $ret)? {
                body $(::<$c>)? ($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            if $crate::isa::isa() >= $crate::isa::Isa::Avx2 {
                #[allow(unsafe_code, reason = "the features were detected")]
                // SAFETY: `isa` only answers sets that were detected on this processor.
                return unsafe { wide $(::<$c>)? ($($arg),*) };
            }
            body $(::<$c>)? ($($arg),*)
        }
    };
}
pub(crate) use vectorized;
