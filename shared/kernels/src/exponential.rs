//! The exponential function in operations that vectorise: the same bits for an element wherever it stands.

/// `e^x` within 2 units in the last place; exactly 0 below -87.3, no greater than `e^88`; NaN stays NaN.
/// Range reduction and polynomial of the Cephes library (`expf`), in fused multiply-adds: where a processor has none they are computed
/// to the same bits, slowly.
#[inline(always)]
#[allow(clippy::inline_always, reason = "must take on its caller's instruction set")]
#[allow(clippy::manual_clamp, reason = "clamp has an assertion that keeps the loop from being vectorised")]
pub(crate) fn exp(x: f32) -> f32 {
    const LOWEST: f32 = -87.3;
    const HIGHEST: f32 = 88.0;
    /// Adding it rounds to an integer, which is then in the low bits.
    const SHIFT: f32 = 12_582_912.0;
    let clamped = if x < LOWEST {
        LOWEST
    } else if x > HIGHEST {
        HIGHEST
    } else {
        x
    };
    let shifted = clamped.mul_add(std::f32::consts::LOG2_E, SHIFT);
    let whole = shifted - SHIFT;
    let r = whole.mul_add(2.121_944_4e-4, whole.mul_add(-0.693_359_4, clamped));
    let mut p = 1.987_569_1e-4_f32;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p.mul_add(r, coefficient);
    }
    let y = p.mul_add(r * r, r) + 1.0;
    let power = shifted.to_bits().wrapping_sub(SHIFT.to_bits()).wrapping_add(127) << 23;
    if x < LOWEST { 0.0 } else { y * f32::from_bits(power) }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
#[allow(clippy::inline_always, reason = "must take on its caller's instruction set")]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_f64() {
        for n in -87_000..88_000 {
            let x = n as f32 * 1e-3;
            let want = f64::from(x).exp();
            assert!(((f64::from(exp(x)) - want) / want).abs() < 2.5e-7, "{x}: {} {want}", exp(x));
        }
        assert_eq!(exp(0.0).to_bits(), 1.0_f32.to_bits());
        assert_eq!(exp(f32::NEG_INFINITY).to_bits(), 0);
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::INFINITY) > 1e38);
    }
}
