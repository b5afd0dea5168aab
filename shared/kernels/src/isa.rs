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
    /// The same, and AMX: products of whole tiles of bf16.
    Amx = 4,
}

static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The instruction set in use.
#[inline]
pub fn isa() -> Isa {
    match CHOSEN.load(Ordering::Relaxed) {
        1 => Isa::Plain,
        2 => Isa::Avx2,
        3 => Isa::Avx512,
        4 => Isa::Amx,
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
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bf16");
        match (avx2, avx512) {
            (true, true) if has_tiles() => return Isa::Amx,
            (true, true) => return Isa::Avx512,
            (true, false) => return Isa::Avx2,
            (false, _) => {}
        }
    }
    Isa::Plain
}

/// Whether processor and system let this process use AMX with bf16. Linux gives a process the room for tiles on request only, and
/// its threads with it.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[allow(unsafe_code, reason = "one system call")]
fn has_tiles() -> bool {
    use std::arch::{
        asm,
        x86_64::{__cpuid, __cpuid_count},
    };
    /// `AMX-BF16` and `AMX-TILE` in EDX of leaf 7.
    const BF16_AND_TILE: u32 = 1 << 22 | 1 << 24;
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const XFEATURE_XTILEDATA: i64 = 18;
    if __cpuid(0).eax < 7 || __cpuid_count(7, 0).edx & BF16_AND_TILE != BF16_AND_TILE {
        return false;
    }
    let answer: i64;
    // SAFETY: the call only widens what the system saves of this process's registers; it touches no memory of ours. The kernel
    // clobbers rcx and r11.
    unsafe {
        asm!(
            "syscall", inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") ARCH_REQ_XCOMP_PERM, in("rsi") XFEATURE_XTILEDATA,
            lateout("rcx") _, lateout("r11") _, options(nostack),
        );
    }
    answer == 0
}

#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
fn has_tiles() -> bool {
    false
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

/// The variable that lowers the instruction set of a program: `plain`, `avx2`, `avx512` or `amx`.
pub const MAX_ISA: &str = "ANNEAL_MAX_ISA";

/// Uses nothing better than [`MAX_ISA`] allows, where it is set: to compare machines, or to measure one as if it were another.
pub fn limit_isa() -> Result<()> {
    let Some(limit) = std::env::var_os(MAX_ISA) else { return Ok(()) };
    match named(&limit.to_string_lossy()) {
        Some(limit) => use_isa(limit.min(best_isa())),
        None => refuse(MAX_ISA, format!("`{}` is none of plain, avx2, avx512, amx", limit.display())),
    }
}

fn named(name: &str) -> Option<Isa> {
    match name {
        "plain" => Some(Isa::Plain),
        "avx2" => Some(Isa::Avx2),
        "avx512" => Some(Isa::Avx512),
        "amx" => Some(Isa::Amx),
        _ => None,
    }
}

/// Defines a function three times, for the baseline, with AVX2 and with AVX-512 enabled, and picks at run time. The body is plain
/// Rust that the compiler vectorises; it fuses a multiply with an add only where `mul_add` says so, so all versions give the same bits.
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
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
            fn widest $(<const $c: $cty>)? ($($arg: $ty),*) $(-> $ret)? {
                body $(::<$c>)? ($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code, reason = "the features were detected")]
            match $crate::isa::isa() {
                $crate::isa::Isa::Plain => {}
                // SAFETY: `isa` only answers sets that were detected on this processor.
                $crate::isa::Isa::Avx2 => return unsafe { wide $(::<$c>)? ($($arg),*) },
                // SAFETY: as above.
                _ => return unsafe { widest $(::<$c>)? ($($arg),*) },
            }
            body $(::<$c>)? ($($arg),*)
        }
    };
}
pub(crate) use vectorized;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_named_from_the_slowest_to_the_fastest() {
        let all = ["plain", "avx2", "avx512", "amx"].map(named);
        assert!(all.is_sorted() && all[0] == Some(Isa::Plain) && all[3] == Some(Isa::Amx));
        assert_eq!(named("AVX512"), None);
    }
}
