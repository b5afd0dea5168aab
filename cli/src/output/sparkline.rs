//! A series of values in one line.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The values as bars, averaged down to `width`; what is no number is a gap.
pub(crate) fn sparkline(values: &[Option<f64>], width: usize) -> String {
    let finite = || values.iter().flatten().copied().filter(|value| value.is_finite());
    let low = finite().fold(f64::INFINITY, f64::min);
    let high = finite().fold(f64::NEG_INFINITY, f64::max);
    let size = values.len().div_ceil(width.max(1)).max(1);
    let bar = |values: &[Option<f64>]| {
        let known: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
        if known.is_empty() {
            return ' ';
        }
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        let share = if high > low { (mean - low) / (high - low) } else { 0.0 };
        BARS[((share * 7.0).round() as usize).min(7)]
    };
    values.chunks(size).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_from_left_to_right() {
        let values: Vec<Option<f64>> = (0..8).rev().map(|n| Some(f64::from(n))).collect();
        assert_eq!(sparkline(&values, 8), "█▇▆▅▄▃▂▁");
        assert_eq!(sparkline(&[Some(1.0), None, Some(f64::NAN), Some(1.0)], 4), "▁  ▁");
        assert_eq!(sparkline(&[], 10), "");
        assert_eq!(sparkline(&vec![Some(1.0); 1000], 50).chars().count(), 50);
    }
}
