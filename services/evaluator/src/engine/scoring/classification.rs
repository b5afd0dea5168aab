//! F1, Matthews' correlation and the Brier score over all rows of a multiple-choice task.

/// A row's right choice and the predicted one.
pub(super) type Pair = (i64, i64);

/// F1 of class 1 (scikit-learn's default); `None` when another class than 0 and 1 occurs.
pub(super) fn f1(pairs: &[Pair]) -> Option<f64> {
    if pairs.iter().any(|(gold, predicted)| !(0..=1).contains(gold) || !(0..=1).contains(predicted)) {
        return None;
    }
    let count = |gold, predicted| pairs.iter().filter(|pair| **pair == (gold, predicted)).count() as f64;
    let (hits, missed, wrong) = (count(1, 1), count(1, 0), count(0, 1));
    let all = 2.0 * hits + missed + wrong;
    Some(if all == 0.0 { 0.0 } else { 2.0 * hits / all })
}

/// Matthews' correlation over any number of classes (Gorodkin 2004), 0 when undefined.
pub(super) fn matthews(pairs: &[Pair]) -> f64 {
    let mut classes: Vec<i64> = pairs.iter().flat_map(|(gold, predicted)| [*gold, *predicted]).collect();
    classes.sort_unstable();
    classes.dedup();
    let n = pairs.len() as f64;
    let correct = pairs.iter().filter(|(gold, predicted)| gold == predicted).count() as f64;
    let counts: Vec<(f64, f64)> = classes
        .iter()
        .map(|class| {
            let of = |pick: fn(&Pair) -> i64| pairs.iter().filter(|pair| pick(pair) == *class).count() as f64;
            (of(|pair| pair.0), of(|pair| pair.1))
        })
        .collect();
    let sum = |pick: fn(&(f64, f64)) -> f64| counts.iter().map(pick).sum::<f64>();
    let covariance = correct * n - sum(|(gold, predicted)| gold * predicted);
    let spread =
        (n * n - sum(|(gold, _)| gold * gold)) * (n * n - sum(|(_, predicted)| predicted * predicted));
    if spread == 0.0 { 0.0 } else { covariance / spread.sqrt() }
}

/// Mean squared distance of the predicted distribution from the right one.
pub(super) fn brier(rows: &[(i64, Vec<f64>)]) -> f64 {
    let total: f64 = rows
        .iter()
        .map(|(gold, probabilities)| {
            let term = |(index, p): (usize, &f64)| (p - f64::from(u8::from(index as i64 == *gold))).powi(2);
            probabilities.iter().enumerate().map(term).sum::<f64>()
        })
        .sum();
    total / rows.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // sklearn: f1_score([1,1,0,0,1],[1,0,0,1,1]) = 2/3; matthews_corrcoef of the same = 1/6.
        let pairs = [(1, 1), (1, 0), (0, 0), (0, 1), (1, 1)];
        assert!((f1(&pairs).unwrap_or(0.0) - 2.0 / 3.0).abs() < 1e-12);
        assert!((matthews(&pairs) - 1.0 / 6.0).abs() < 1e-12);
        assert_eq!(f1(&[(2, 1)]), None);
        assert!((brier(&[(0, vec![0.5, 0.5]), (1, vec![0.0, 1.0])]) - 0.25).abs() < 1e-12);
    }
}
