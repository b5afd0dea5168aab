//! From rows to one figure (`lm_eval/api/metrics.py`).

use anneal_comparison::standard_error;

use super::classification::{brier, f1, matthews};
use super::corpus;
use super::metrics::Metric;
use super::stderr::bootstrap;

/// How rows are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// Arithmetic mean.
    Mean,
    /// The upper median.
    Median,
    /// exp of minus the mean.
    Perplexity,
    /// exp of minus the weighted mean.
    WeightedPerplexity,
    /// Minus the weighted mean, in bits.
    BitsPerByte,
    /// The weighted mean itself.
    WeightedMean,
    /// F1 of class 1.
    F1,
    /// Matthews' correlation.
    Matthews,
    /// Brier score.
    Brier,
    /// The mean of the truths of all rows' lists.
    MeanOfLists,
    /// BLEU of the corpus.
    Bleu,
    /// chrF of the corpus.
    Chrf,
    /// chrF++ of the corpus.
    ChrfPlusPlus,
}

impl Aggregation {
    /// By its name in task files.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "mean" => Self::Mean,
            "median" => Self::Median,
            "perplexity" => Self::Perplexity,
            "weighted_perplexity" => Self::WeightedPerplexity,
            "bits_per_byte" => Self::BitsPerByte,
            "weighted_loss" | "weighted_mean" => Self::WeightedMean,
            "f1" => Self::F1,
            "matthews_corrcoef" => Self::Matthews,
            "brier_score" => Self::Brier,
            "bleu" => Self::Bleu,
            "chrf" => Self::Chrf,
            "chrf++" => Self::ChrfPlusPlus,
            _ => return None,
        })
    }

    /// By the name of the harness's Python function.
    pub fn from_function(name: &str) -> Option<Self> {
        (name.rsplit('.').next() == Some("agg_inst_level_acc")).then_some(Self::MeanOfLists)
    }

    /// The harness's own for a metric.
    pub fn of_metric(name: &str) -> Self {
        match name {
            "perplexity" => Self::Perplexity,
            "word_perplexity" | "byte_perplexity" | "token_perplexity" => Self::WeightedPerplexity,
            "bits_per_byte" => Self::BitsPerByte,
            "loss" => Self::WeightedMean,
            "f1" => Self::F1,
            "mcc" => Self::Matthews,
            "brier_score" => Self::Brier,
            "inst_level_strict_acc" | "inst_level_loose_acc" => Self::MeanOfLists,
            "bleu" => Self::Bleu,
            "chrf" => Self::Chrf,
            "chrf++" => Self::ChrfPlusPlus,
            _ => Self::Mean,
        }
    }
}

/// A figure and its standard error, where one is defined; `iterations` resamples stand behind an error that has no
/// closed form. Without any, no error is given (as `bootstrap_iters=0` of the harness).
pub fn aggregate(
    aggregation: Aggregation,
    rows: &[Metric],
    iterations: usize,
) -> Result<(f64, Option<f64>), String> {
    let (value, error) = with_error(aggregation, rows, iterations)?;
    Ok((value, error.filter(|_| iterations > 0)))
}

fn with_error(
    aggregation: Aggregation,
    rows: &[Metric],
    iterations: usize,
) -> Result<(f64, Option<f64>), String> {
    use Aggregation as A;
    match aggregation {
        A::Mean => {
            let values = numbers(rows)?;
            Ok((mean(&values), standard_error(&values)))
        }
        A::Median => {
            let mut values = numbers(rows)?;
            let of = |sample: &[&f64]| {
                let mut sorted: Vec<f64> = sample.iter().map(|value| **value).collect();
                sorted.sort_by(f64::total_cmp);
                sorted[sorted.len() / 2]
            };
            let error = bootstrap(&values, iterations, of);
            values.sort_by(f64::total_cmp);
            Ok((values[values.len() / 2], error))
        }
        A::Perplexity => {
            let values = numbers(rows)?;
            let of = |sample: &[&f64]| (-sample.iter().copied().sum::<f64>() / sample.len() as f64).exp();
            Ok(((-mean(&values)).exp(), bootstrap(&values, iterations, of)))
        }
        A::WeightedPerplexity => weighted_mean(rows).map(|value| ((-value).exp(), None)),
        A::BitsPerByte => weighted_mean(rows).map(|value| (-value / std::f64::consts::LN_2, None)),
        A::WeightedMean => weighted_mean(rows).map(|value| (value, ratio_error(rows))),
        A::F1 => {
            let pairs = pairs(rows)?;
            let value = f1(&pairs).ok_or("f1 is defined for the classes 0 and 1 only")?;
            let of = |sample: &[&(i64, i64)]| {
                f1(&sample.iter().map(|pair| **pair).collect::<Vec<_>>()).unwrap_or(0.0)
            };
            Ok((value, bootstrap(&pairs, iterations, of)))
        }
        A::Matthews => {
            let pairs = pairs(rows)?;
            let of = |sample: &[&(i64, i64)]| matthews(&sample.iter().map(|pair| **pair).collect::<Vec<_>>());
            Ok((matthews(&pairs), bootstrap(&pairs, iterations, of)))
        }
        A::Brier => distributions(rows).map(|all| (brier(&all), None)),
        A::MeanOfLists => mean_of_lists(rows).map(|value| (value, None)),
        A::Bleu => corpus::bleu(rows, iterations),
        A::Chrf => corpus::chrf(rows, 0, iterations),
        A::ChrfPlusPlus => corpus::chrf(rows, 2, iterations),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn numbers(rows: &[Metric]) -> Result<Vec<f64>, String> {
    rows.iter()
        .map(|row| match row {
            Metric::Number(value) => Ok(*value),
            Metric::Truth(truth) => Ok(f64::from(u8::from(*truth))),
            other => Err(format!("{other:?} is not a number; choose another aggregation")),
        })
        .collect()
}

fn distributions(rows: &[Metric]) -> Result<Vec<(i64, Vec<f64>)>, String> {
    rows.iter()
        .map(|row| match row {
            Metric::Distribution(gold, probabilities) => Ok((*gold, probabilities.clone())),
            other => Err(format!("{other:?} is not a distribution; brier_score needs one a row")),
        })
        .collect()
}

fn mean_of_lists(rows: &[Metric]) -> Result<f64, String> {
    let (mut hits, mut all) = (0, 0);
    for row in rows {
        let Metric::Truths(truths) = row else {
            return Err(format!("{row:?} is not a list of truths; choose another aggregation"));
        };
        hits += truths.iter().filter(|truth| **truth).count();
        all += truths.len();
    }
    if all == 0 { Err("no row has a truth".to_owned()) } else { Ok(hits as f64 / all as f64) }
}

fn pairs(rows: &[Metric]) -> Result<Vec<(i64, i64)>, String> {
    rows.iter()
        .map(|row| match row {
            Metric::Pair(gold, predicted) => Ok((*gold, *predicted)),
            other => Err(format!("{other:?} is not a pair of classes; choose another aggregation")),
        })
        .collect()
}

fn weighted(rows: &[Metric]) -> Option<Vec<(f64, f64)>> {
    rows.iter()
        .map(|row| match row {
            Metric::Weighted(sum, weight) => Some((*sum, *weight)),
            _ => None,
        })
        .collect()
}

fn weighted_mean(rows: &[Metric]) -> Result<f64, String> {
    let all = weighted(rows).ok_or("a weighted aggregation needs sums and weights")?;
    let total: f64 = all.iter().map(|(sum, _)| sum).sum();
    Ok(total / all.iter().map(|(_, weight)| weight).sum::<f64>())
}

/// Standard error of a ratio of sums by linearisation (Cochran 1977, 6.4): of the residuals `sum − ratio · weight`.
fn ratio_error(rows: &[Metric]) -> Option<f64> {
    let all = weighted(rows)?;
    let n = all.len() as f64;
    let (sums, weights) = all.iter().fold((0.0, 0.0), |(a, b), (sum, weight)| (a + sum, b + weight));
    if all.len() < 2 || weights == 0.0 {
        return None;
    }
    let ratio = sums / weights;
    let squares: f64 = all.iter().map(|(sum, weight)| (sum - ratio * weight).powi(2)).sum();
    Some((n / (n - 1.0) * squares).sqrt() / weights)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn perplexities_weigh_rows_by_their_length() {
        let rows = [Metric::Weighted(-10.0, 4.0), Metric::Weighted(-2.0, 2.0)];
        assert!(
            (aggregate(Aggregation::WeightedPerplexity, &rows, 1000).unwrap().0 - 2.0_f64.exp()).abs()
                < 1e-12
        );
        assert!(
            (aggregate(Aggregation::BitsPerByte, &rows, 1000).unwrap().0 - 2.0 / 2.0_f64.ln()).abs() < 1e-12
        );
        let rows = [Metric::Weighted(10.0, 4.0), Metric::Weighted(2.0, 2.0)];
        let (loss, error) = aggregate(Aggregation::WeightedMean, &rows, 1000).unwrap();
        assert!((loss - 2.0).abs() < 1e-12);
        // residuals 2 and -2: sqrt(2/1 * 8) / 6
        assert!((error.unwrap() - 4.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn a_mean_of_sums_is_refused() {
        assert!(aggregate(Aggregation::Mean, &[Metric::Weighted(1.0, 2.0)], 0).is_err());
    }

    #[test]
    fn the_number_of_resamples_decides_the_error() {
        let rows: Vec<Metric> = (0..9).map(|n| Metric::Number(-f64::from(n) / 3.0)).collect();
        let error = |iterations| aggregate(Aggregation::Perplexity, &rows, iterations).unwrap().1;
        assert!(error(100).is_some() && error(1000).is_some());
        assert_ne!(error(100), error(1000));
        assert_eq!(error(0), None);
        assert_eq!(aggregate(Aggregation::Mean, &rows, 0).unwrap().1, None);
    }

    #[test]
    fn lists_of_truths_are_one_long_list() {
        let rows = [Metric::Truths(vec![true]), Metric::Truths(vec![true, false, false])];
        assert_eq!(aggregate(Aggregation::MeanOfLists, &rows, 0).unwrap(), (0.5, None));
        assert!(aggregate(Aggregation::MeanOfLists, &[Metric::Truth(true)], 0).is_err());
        let (mean, error) =
            aggregate(Aggregation::Mean, &[Metric::Truth(true), Metric::Truth(false)], 1000).unwrap();
        assert!((mean - 0.5).abs() < 1e-12 && (error.unwrap() - 0.5).abs() < 1e-12);
    }
}
